/* options.c: the command line of b2nn-run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "build_info.h"
#include "photo.h"

static const char usage[] =
    "usage: b2nn-run [LIBRARY] [PHOTO ...] [options]\n"
    "       b2nn-run --interleave --reference LIBRARY [LIBRARY ...] [options]\n"
    "Run a compiled network. LIBRARY is by default " B2NN_LIBRARY " beside this program. PHOTO is a JPEG, PNG, PPM or\n"
    "PGM file, or a folder of them: what the network takes it for is printed, with the times.\n"
    "\n"
    "  --input FILE   values of one input: .npy, or raw, row-major and little-endian; once for each input, in their\n"
    "                 order; without any, inputs are filled with a fixed pattern\n"
    "  --output FILE  where an output goes: .npy where the name ends so, else raw; once for each output, or not at all\n"
    "  --camera DEVICE  classify the pictures of a V4L2 camera, /dev/video0, say, until Ctrl-C\n"
    "  --frames WxH[:FORMAT]  classify raw frames from stdin: rgb24 (default), bgr24, yuyv or gray8\n"
    "  --limit N      with --camera or --frames: stop after so many\n"
    "  --json         with photos, --camera or --frames: print JSON, one object in a line for each of them\n"
    "  --labels FILE  names of the classes, one in a line (default: those of the manifest)\n"
    "  --top N        best classes to print (default 5, or 3 of each of several photos)\n"
    "  --threads N    threads, 0 for one per CPU (default 1)\n"
    "  --level ISA    of libraries with kernels for several instruction sets, those to run, such as avx2 (default: the\n"
    "                 best ones that this CPU has); the environment variable B2NN_LEVEL says the same\n"
    "  --profile      time whole runs and every layer; prints JSON, one object in a line, a row for each run as it comes\n"
    "  --runs N       with --profile: timed runs (default: as --seconds says)\n"
    "  --profiles N   with --profile: further runs, with every layer timed apart (default: as --runs)\n"
    "  --seconds S    with --profile: how long to repeat, at least 10 runs, but at most three times as long (default 0.5)\n"
    "  --warmup N     with --profile or --interleave: runs before the timed ones (default 3)\n"
    "  --interleave   time networks in turns, in short bursts in random order, each between two bursts of a reference;\n"
    "                 prints JSON, one object in a line, a row for each burst as it comes\n"
    "  --reference LIBRARY  with --interleave: the network to compare with, which may also be one of the others\n"
    "  --second-reference  with --interleave: the last LIBRARY is a second network to compare with, which has a burst\n"
    "                 after each burst of the reference, of half the length, and no turn of its own\n"
    "  --rounds N     with --interleave: how often each network has its turn (default 8)\n"
    "  --burst-ms X   with --interleave: the least length of a burst in milliseconds (default 12)\n"
    "  --seed N       with --interleave: of the random orders (default 0)\n"
    "  --quiet-ms X   with --interleave: what a run of the reference takes when nothing disturbs it, if it is known, or\n"
    "                 of the second one if there are two; a network then has its turn when that is about as fast\n"
    "  --patience-ms X  with --quiet-ms: how long to wait for that in all (default 1000)\n"
    "  --profiled     with --interleave: time every layer apart in the bursts of the networks\n"
    "  --describe     print as JSON what the library and the board are, and stop\n"
    "  --version      print the version of this program and what it was built with, and stop\n"
    "  --help         print this, and stop\n";

/* The options that take a value, and --json, --profiled and --second-reference, which take none; each with the modes in which it says
 * something. */
enum { INPUT, OUTPUT, CAMERA, FRAMES, LIMIT, JSON, LABELS, TOP, THREADS, LEVEL, RUNS, PROFILES, SECONDS, WARMUP, REFERENCE, ROUNDS,
       BURST_MS, SEED, QUIET_MS, PATIENCE_MS, PROFILED, SECOND, KNOWN };
static const struct {
    const char *name;
    int modes;
} known[KNOWN] = {
    [INPUT] = {"--input", RUN | PROFILE}, [OUTPUT] = {"--output", RUN | PROFILE}, [LABELS] = {"--labels", RUN},
    [CAMERA] = {"--camera", RUN}, [FRAMES] = {"--frames", RUN}, [LIMIT] = {"--limit", RUN}, [JSON] = {"--json", RUN},
    [TOP] = {"--top", RUN | PROFILE}, [THREADS] = {"--threads", RUN | PROFILE | INTERLEAVE}, [RUNS] = {"--runs", PROFILE},
    [PROFILES] = {"--profiles", PROFILE}, [SECONDS] = {"--seconds", PROFILE}, [WARMUP] = {"--warmup", PROFILE | INTERLEAVE},
    [REFERENCE] = {"--reference", INTERLEAVE}, [ROUNDS] = {"--rounds", INTERLEAVE}, [BURST_MS] = {"--burst-ms", INTERLEAVE},
    [SEED] = {"--seed", INTERLEAVE}, [QUIET_MS] = {"--quiet-ms", INTERLEAVE},
    [PATIENCE_MS] = {"--patience-ms", INTERLEAVE}, [PROFILED] = {"--profiled", INTERLEAVE},
    [SECOND] = {"--second-reference", INTERLEAVE},
    [LEVEL] = {"--level", RUN | PROFILE | INTERLEAVE},
};

static long number(const char *option, const char *text, long least) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < least || value > 1000000)
        fail(USAGE, "%s takes a number from %ld to 1000000, not '%s'", option, least, text);
    return value;
}

static uint64_t seed(const char *option, const char *text) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        fail(USAGE, "%s takes a number from 0 to %llu, not '%s'", option, (unsigned long long)UINT64_MAX, text);
    return value;
}

static double duration(const char *option, const char *text, const char *unit, double most) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value <= most))
        fail(USAGE, "%s takes a number of %s above 0 and up to %.0f, not '%s'", option, unit, most, text);
    return value;
}

static void add(const char **list, int *count, const char *path, const char *option) {
    if (*count == MAX_TENSORS) fail(USAGE, "%s is given more than %d times", option, MAX_TENSORS);
    list[(*count)++] = path;
}

/* Take a word that chooses what to do; 0 where it is another one. */
static int parse_mode(command_line *all, const char *word) {
    static const char *const names[] = {[PROFILE] = "--profile", [INTERLEAVE] = "--interleave", [DESCRIBE] = "--describe"};
    for (int mode = PROFILE; mode <= DESCRIBE; mode *= 2) {
        if (strcmp(word, names[mode])) continue;
        if (all->mode != RUN && all->mode != mode) fail(USAGE, "%s and %s exclude each other", names[all->mode], word);
        return all->mode = mode;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h"))
        fputs(usage, stdout);
    else if (!strcmp(word, "--version"))
        printf("b2nn-run %s for %s, C interface version %d, built with %s\n", B2NN_VERSION, own_machine()->arch, B2NN_ABI_VERSION,
               B2NN_COMPILER);
    else
        return 0;
    exit(fflush(stdout) ? FAILED : 0);
}

static int is_switch(int option) { return option == PROFILED || option == SECOND || option == JSON; }

static void parse_value(command_line *all, int option, const char *value) {
    const char *name = known[option].name;
    if (!value && !is_switch(option)) fail(USAGE, "%s needs a value", name);
    switch (option) {
        case INPUT: add(all->inputs, &all->input_count, value, name); break;
        case OUTPUT: add(all->outputs, &all->output_count, value, name); break;
        case CAMERA: all->camera = value; break;
        case FRAMES: all->frames = value; break;
        case LIMIT: all->limit = number(name, value, 1); break;
        case JSON: all->json = 1; break;
        case LABELS: all->labels = value; break;
        case TOP: all->top = number(name, value, 1); break;
        case THREADS: all->threads = number(name, value, 0); break;
        case LEVEL: /* libraries read the variable when they are loaded */
            if (setenv(LEVEL_VARIABLE, value, 1)) fail(FAILED, "not enough memory");
            break;
        case RUNS: all->timing.runs = number(name, value, 0); break;
        case PROFILES: all->timing.profiles = number(name, value, 0); break;
        case SECONDS: all->timing.seconds = duration(name, value, "seconds", 86400); break;
        case WARMUP: all->timing.warmup = all->bursts.warmup = number(name, value, 0); break;
        case REFERENCE: all->bursts.reference = value; break;
        case ROUNDS: all->bursts.rounds = number(name, value, 1); break;
        case BURST_MS: all->bursts.burst_ms = duration(name, value, "milliseconds", 10000); break;
        case QUIET_MS: all->bursts.quiet_ms = duration(name, value, "milliseconds", 1e9); break;
        case PATIENCE_MS: all->bursts.patience_ms = duration(name, value, "milliseconds", 1e9); break;
        case SEED: all->bursts.seed = seed(name, value); break;
        case SECOND: all->bursts.second = 1; break;
        default: all->bursts.profiled = 1;
    }
}

static void check_mode(const command_line *all, int option) {
    int modes = known[option].modes;
    if (modes & all->mode || (all->mode == DESCRIBE && modes & RUN)) return;
    if (all->mode == RUN || all->mode == DESCRIBE)
        fail(USAGE, "%s needs %s", known[option].name,
             modes == PROFILE ? "--profile" : modes == INTERLEAVE ? "--interleave" : "--profile or --interleave");
    const char *mode = all->mode == PROFILE ? "--profile" : "--interleave";
    fail(USAGE, modes & RUN ? "%s and %s exclude each other" : "%s is no option of %s", known[option].name, mode);
}

/* Share out the words that are no options: the first one is the library, unless it names photos. */
static void take_words(command_line *all, char **words, long count) {
    const long libraries = all->mode == INTERLEAVE ? count : count && !names_photos(words[0]);
    all->library = libraries ? words[0] : NULL;
    all->library_count = libraries;
    all->photos = (const char *const *)words + libraries;
    all->photo_count = count - libraries;
    if (all->photo_count && all->mode == DESCRIBE) fail(USAGE, "unexpected argument '%s' with --describe", all->photos[0]);
    const int sources = (all->photo_count > 0) + !!all->camera + !!all->frames;
    if (sources > 1) fail(USAGE, "photos, --camera and --frames exclude one another");
    if (sources && all->input_count) fail(USAGE, "--input is for the values of an input; leave it out with photos and frames");
    if (all->json && !sources) fail(USAGE, "--json needs a photo, --camera or --frames");
    if (all->limit && !all->camera && !all->frames) fail(USAGE, "--limit needs --camera or --frames");
    if (all->output_count && (all->camera || all->frames)) fail(USAGE, "--output takes one photo, and no stream of them");
    if (all->frames) parse_frames("--frames", all->frames);
}

command_line parse_command_line(int argc, char **argv) {
    command_line all = {.mode = RUN, .threads = 1, .libraries = (const char *const *)argv,
                   .timing = {.runs = -1, .profiles = -1, .warmup = 3, .seconds = 0.5},
                   .bursts = {.rounds = 8, .warmup = 3, .burst_ms = 12, .patience_ms = 1000}};
    int given[KNOWN] = {0};
    long words = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            argv[words++] = argv[i];
        } else if (!parse_mode(&all, argv[i])) {
            int option = 0;
            while (option < KNOWN && strcmp(argv[i], known[option].name)) option++;
            if (option == KNOWN) fail(USAGE, "unexpected argument '%s'; b2nn-run --help lists the options", argv[i]);
            parse_value(&all, option, i + 1 < argc ? argv[i + 1] : NULL);
            given[option] = 1;
            i += !is_switch(option);
        }
    }
    for (int option = 0; option < KNOWN; option++)
        if (given[option]) check_mode(&all, option);
    take_words(&all, argv, words);
    if (all.mode == INTERLEAVE && !all.bursts.reference) fail(USAGE, "--interleave needs --reference LIBRARY");
    if (all.bursts.second && !all.library_count) fail(USAGE, "--second-reference needs a LIBRARY besides the reference");
    if (all.timing.profiles < 0) all.timing.profiles = all.timing.runs;
    all.bursts.threads = all.threads;
    return all;
}
