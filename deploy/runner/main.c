/* main.c: b2nn-run, which runs and times a compiled network on the board itself. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_info.h"
#include "runner.h"

static const char usage[] =
    "usage: b2nn-run [LIBRARY] [options]\n"
    "Run a compiled network. LIBRARY is by default " B2NN_LIBRARY " beside this program.\n"
    "\n"
    "  --input FILE   values of one input: .npy, or raw, row-major and little-endian; once for each input, in their\n"
    "                 order; without any, inputs are filled with a fixed pattern\n"
    "  --output FILE  where an output goes: .npy where the name ends so, else raw; once for each output, or not at all\n"
    "  --labels FILE  names of the classes, one in a line\n"
    "  --top N        best classes to print (default 5)\n"
    "  --threads N    threads, 0 for one per CPU (default 1)\n"
    "  --profile      time whole runs and every layer; prints JSON, one object in a line, a row for each run as it comes\n"
    "  --runs N       with --profile: timed runs (default: as --seconds says)\n"
    "  --profiles N   with --profile: further runs, with every layer timed apart (default: as --runs)\n"
    "  --seconds S    with --profile: how long to repeat, at least 10 runs, but at most three times as long (default 0.5)\n"
    "  --warmup N     with --profile: runs before the timed ones (default 3)\n"
    "  --describe     print as JSON what the library and the board are, and stop\n"
    "  --version      print the version of this program and what it was built with, and stop\n"
    "  --help         print this, and stop\n";

static struct {
    const char *library, *labels, *inputs[MAX_TENSORS], *outputs[MAX_TENSORS];
    int input_count, output_count, profile, describe;
    long threads, top;
    profile_options timing;
    const char *timing_option; /* an option on the command line that only --profile takes, or NULL */
} options = {.threads = 1, .top = 5, .timing = {.runs = -1, .profiles = -1, .warmup = 3, .seconds = 0.5}};

static long number(const char *option, const char *text, long least) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < least || value > 1000000)
        fail(USAGE, "%s takes a number from %ld to 1000000, not '%s'", option, least, text);
    return value;
}

static double seconds(const char *option, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value <= 86400))
        fail(USAGE, "%s takes a number of seconds above 0 and up to 86400, not '%s'", option, text);
    return value;
}

static void add(const char **list, int *count, const char *path, const char *option) {
    if (*count == MAX_TENSORS) fail(USAGE, "%s is given more than %d times", option, MAX_TENSORS);
    list[(*count)++] = path;
}

static int parse_flag(const char *option) {
    if (!strcmp(option, "--help") || !strcmp(option, "-h"))
        fputs(usage, stdout);
    else if (!strcmp(option, "--version"))
        printf("b2nn-run %s for %s, C interface version %d, built with %s\n", B2NN_VERSION, runner_arch(), B2NN_ABI_VERSION,
               B2NN_COMPILER);
    else
        return !strcmp(option, "--profile") ? options.profile = 1 : !strcmp(option, "--describe") ? options.describe = 1 : 0;
    exit(fflush(stdout) ? FAILED : 0);
}

static void parse_value(const char *option, const char *value) {
    static const char *const known[] = {"--input",  "--output", "--labels",  "--top",   "--threads",
                                        "--runs",   "--profiles", "--warmup", "--seconds", NULL};
    int index = 0;
    while (known[index] && strcmp(option, known[index])) index++;
    if (!known[index]) fail(USAGE, "unexpected argument '%s'; b2nn-run --help lists the options", option);
    if (!value) fail(USAGE, "%s needs a value", option);
    if (index >= 5) options.timing_option = option;
    switch (index) {
        case 0: add(options.inputs, &options.input_count, value, option); break;
        case 1: add(options.outputs, &options.output_count, value, option); break;
        case 2: options.labels = value; break;
        case 3: options.top = number(option, value, 1); break;
        case 4: options.threads = number(option, value, 0); break;
        case 5: options.timing.runs = number(option, value, 0); break;
        case 6: options.timing.profiles = number(option, value, 0); break;
        case 7: options.timing.warmup = number(option, value, 0); break;
        default: options.timing.seconds = seconds(option, value);
    }
}

static void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (options.library) fail(USAGE, "unexpected argument '%s': there is a library already, '%s'", argv[i], options.library);
            options.library = argv[i];
        } else if (!parse_flag(argv[i])) {
            parse_value(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        }
    }
    if (options.timing.profiles < 0) options.timing.profiles = options.timing.runs;
    if (options.timing_option && !options.profile) fail(USAGE, "%s needs --profile", options.timing_option);
    if (options.profile && options.labels) fail(USAGE, "--labels and --profile exclude each other");
}

/* The path of the library: the named file, the library in the named folder, or the library beside this program. */
static const char *library_path(void) {
    static char path[8192], folder[4096];
    struct stat status;
    if (options.library) {
        if (stat(options.library, &status) || !S_ISDIR(status.st_mode)) return options.library;
        snprintf(folder, sizeof folder, "%s", options.library);
    } else {
        ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
        char *slash = length > 0 ? (folder[length] = '\0', strrchr(folder, '/')) : NULL;
        if (!slash) fail(FAILED, "cannot tell where this program is; name the library");
        *slash = '\0';
    }
    snprintf(path, sizeof path, "%s/%s", folder, B2NN_LIBRARY);
    return path;
}

static void fill(const b2nn_tensor *tensor, float *values) {
    uint32_t state = 1;
    if (strcmp(tensor->dtype, "float32")) return; /* inputs of other types stay zero */
    for (uint64_t i = 0; i < tensor->size_bytes / 4; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

static void print_tensors(const char *name, const b2nn_tensor *(*get)(int32_t), int32_t count) {
    printf(", \"%s\": [", name);
    for (int32_t i = 0; i < count; i++) {
        printf("%s{", i ? ", " : "");
        print_member("name", get(i)->name);
        fputs(", ", stdout);
        print_member("dtype", get(i)->dtype);
        fputs(", \"shape\": [", stdout);
        for (int32_t axis = 0; axis < get(i)->rank; axis++) printf("%s%lld", axis ? ", " : "", (long long)get(i)->shape[axis]);
        fputs("]}", stdout);
    }
    putchar(']');
}

static void describe(void) {
    printf("{\"kind\": \"b2nn-describe\", \"format_version\": 1, \"runner\": {\"abi_version\": %d, ", B2NN_ABI_VERSION);
    print_member("version", B2NN_VERSION);
    fputs(", ", stdout);
    print_member("arch", runner_arch());
    fputs(", ", stdout);
    print_member("compiler", B2NN_COMPILER);
    printf("}, \"library\": {\"abi_version\": %d, ", (int)net.b2nn_abi_version_());
    print_member("model_id", net.b2nn_model_id_());
    fputs(", ", stdout);
    print_member("target", net.b2nn_target_());
    fputs(", ", stdout);
    print_member("isa", net.b2nn_isa_());
    printf(", \"steps\": %d", (int)net.b2nn_step_count_());
    print_tensors("inputs", net.b2nn_input_, net.b2nn_input_count_());
    print_tensors("outputs", net.b2nn_output_, net.b2nn_output_count_());
    fputs("}, ", stdout);
    print_device();
    fputs(", ", stdout);
    print_conditions();
    puts("}");
}

static void compute(void) {
    const void *inputs[MAX_TENSORS];
    void *outputs[MAX_TENSORS], *values;
    int input_count = net.b2nn_input_count_(), output_count = net.b2nn_output_count_();
    double ignored;
    if (options.input_count && options.input_count != input_count)
        fail(USAGE, "the network has %d inputs, not %d", input_count, options.input_count);
    if (options.output_count && options.output_count != output_count)
        fail(USAGE, "the network has %d outputs, not %d", output_count, options.output_count);
    for (int i = 0; i < input_count; i++) {
        inputs[i] = values = allocate(net.b2nn_input_(i)->size_bytes);
        options.input_count ? read_tensor(net.b2nn_input_(i), options.inputs[i], values) : fill(net.b2nn_input_(i), values);
    }
    for (int i = 0; i < output_count; i++) outputs[i] = allocate(net.b2nn_output_(i)->size_bytes);

    b2nn_model *model;
    int32_t status = net.b2nn_model_create_(&model, (int32_t)options.threads);
    if (status != B2NN_OK)
        fail(FAILED, "cannot make an instance of the network with %ld threads: %s", options.threads, net.b2nn_status_text_(status));
    if (options.profile)
        profile(model, &options.timing, inputs, outputs);
    else if (net.b2nn_model_run_timed_(model, inputs, outputs, &ignored) != B2NN_OK)
        fail(FAILED, "%s", net.b2nn_model_error_(model));
    for (int i = 0; i < options.output_count; i++) write_tensor(net.b2nn_output_(i), options.outputs[i], outputs[i]);
    if (!options.profile && (!options.output_count || options.labels)) {
        print_classes(outputs, options.labels, options.top);
        if (!options.input_count) fputs("note: no --input, so the classes are those of a fixed pattern\n", stderr);
    }
    net.b2nn_model_destroy_(model);
    for (int i = 0; i < input_count; i++) free((void *)(uintptr_t)inputs[i]);
    for (int i = 0; i < output_count; i++) free(outputs[i]);
}

int main(int argc, char **argv) {
    parse(argc, argv);
    load_library(library_path());
    options.describe ? describe() : compute();
    if (fflush(stdout) || ferror(stdout)) fail(FAILED, "cannot write to stdout");
    return 0;
}
