/* classify_photos.c: photos, frames or the pictures of a camera in, the names of the best classes out. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"

enum { TOP_OF_ONE = 5, TOP_OF_SEVERAL = 3 };

typedef struct stream {
    const instance *made;
    meaning means;
    const char *const *labels; /* those of the manifest, or of a file */
    const float *scores;
    int64_t classes;
    int json, several;
    long top, refused;
    samples network_ms;
    double begun_ms;
} stream;

static volatile sig_atomic_t stopped;
static void stop(int number) { stopped = number; }

static stream open_stream(const instance *made, const command_line *given, const char *for_what, int several) {
    stream all = {.made = made, .json = given->json, .several = several, .network_ms = {.width = 1}};
    int64_t rows;
    int32_t index = find_scores(made->net, &rows, &all.classes);
    if (index < 0 || rows != 1)
        fail(FAILED, "%s: photos need an output that is one row of float32 scores, and there is none; --output FILE writes the values",
             for_what);
    all.means = read_meaning(made->net, given->library, for_what);
    all.labels = given->labels ? read_labels(given->labels, all.classes) : all.means.labels;
    if (!given->labels && all.labels && all.means.label_count != all.classes)
        fail(FAILED, "the manifest has %ld labels, but the network %lld classes; name a file with --labels", all.means.label_count,
             (long long)all.classes);
    all.scores = made->outputs[index];
    all.top = given->top ? given->top : several ? TOP_OF_SEVERAL : TOP_OF_ONE;
    if (all.top > all.classes) all.top = (long)all.classes;
    if (is_emulated()) fputs("note: this CPU is emulated: the times are no latencies of a board\n", stderr);
    if (all.json) {
        fputs("{\"row\": \"start\", \"kind\": \"b2nn-photos\", \"format_version\": 1, ", stdout);
        print_member("model_id", made->net->b2nn_model_id_());
        printf(", \"threads\": %d}\n", (int)made->net->b2nn_model_threads_(made->model));
    }
    all.begun_ms = now_ms(CLOCK_MONOTONIC);
    return all;
}

/* The probabilities: the scores themselves where they are probabilities already, else their softmax. */
static void find_probabilities(const stream *all, double *into) {
    double most = all->scores[0], sum = 0, least = all->scores[0];
    for (int64_t i = 0; i < all->classes; i++) {
        sum += (double)all->scores[i];
        if (all->scores[i] > most) most = all->scores[i];
        if (all->scores[i] < least) least = all->scores[i];
    }
    const int already = least >= 0 && fabs(sum - 1) < 1e-3;
    double total = already ? sum : 0;
    for (int64_t i = 0; i < all->classes; i++) total += into[i] = already ? 0 : exp((double)all->scores[i] - most);
    for (int64_t i = 0; i < all->classes; i++) into[i] = (already ? (double)all->scores[i] : into[i]) / total;
}

static void print_finite(const char *name, double value) { print_number(name, isfinite(value) ? &value : NULL); }

static void print_json(const stream *all, const char *name, const double *probabilities, double read_ms, double fit_ms, double ms) {
    int64_t best = -1;
    fputs("{\"row\": \"image\", ", stdout);
    print_member("name", name);
    fputs(", \"classes\": [", stdout);
    for (long rank = 0; rank < all->top; rank++) {
        best = next_class(all->scores, all->classes, best);
        printf("%s{\"index\": %lld, \"label\": ", rank ? ", " : "", (long long)best);
        all->labels ? print_string(all->labels[best]) : (void)fputs("null", stdout);
        fputs(", ", stdout);
        print_finite("score", (double)all->scores[best]);
        fputs(", ", stdout);
        print_finite("probability", probabilities[best]);
        putchar('}');
    }
    fputs("], ", stdout);
    print_number("read_ms", &read_ms);
    fputs(", ", stdout);
    print_number("fit_ms", &fit_ms);
    fputs(", ", stdout);
    print_number("network_ms", &ms);
    puts("}");
}

static void print_text(const stream *all, const char *name, const double *probabilities) {
    int64_t best = -1;
    fputs(name, stdout);
    for (long rank = 0; rank < all->top; rank++) {
        char number[32];
        best = next_class(all->scores, all->classes, best);
        snprintf(number, sizeof number, "class %lld", (long long)best);
        if (all->several)
            printf("%s%s %.1f %%", rank ? ", " : ": ", all->labels ? all->labels[best] : number, 100 * probabilities[best]);
        else
            printf("\n%4ld. %-11s %12.6f %7.2f %%%s%s", rank + 1, number, (double)all->scores[best], 100 * probabilities[best],
                   all->labels ? "  " : "", all->labels ? all->labels[best] : "");
    }
    putchar('\n');
}

static void refuse(stream *all, const char *name, const char *wrong) {
    if (!all->several) fail(FAILED, "%s: %s", name, wrong);
    all->refused++;
    if (all->json) {
        fputs("{\"row\": \"image\", ", stdout);
        print_member("name", name);
        fputs(", ", stdout);
        print_member("error", wrong);
        puts("}");
    }
    fflush(stdout);
    fprintf(stderr, "error: %s: %s\n", name, wrong);
}

/* Classify one image, which was read since `since_ms`, and free it. */
static void classify(stream *all, const char *name, image *picture, double since_ms) {
    const double read = now_ms(CLOCK_MONOTONIC);
    const char *wrong = fill_input(&all->means.how, picture, (void *)(uintptr_t)all->made->inputs[0]);
    const double fitted = now_ms(CLOCK_MONOTONIC);
    free_image(picture);
    if (wrong) {
        refuse(all, name, wrong);
        return;
    }
    double ms = *new_row(&all->network_ms) = run_timed(all->made);
    double *probabilities = allocate((uint64_t)all->classes * sizeof *probabilities);
    find_probabilities(all, probabilities);
    if (all->json)
        print_json(all, name, probabilities, read - since_ms, fitted - read, ms);
    else
        print_text(all, name, probabilities);
    free(probabilities);
    if (fflush(stdout) || ferror(stdout)) fail(FAILED, "cannot write to stdout");
}

static void close_stream(stream *all) {
    const double seconds = (now_ms(CLOCK_MONOTONIC) - all->begun_ms) / 1e3, ms = summarize(&all->network_ms, 0).median;
    const long count = all->network_ms.count;
    const double rate = seconds > 0 ? (double)count / seconds : 0;
    if (all->json) {
        printf("{\"row\": \"end\", \"images\": %ld, \"refused\": %ld, ", count, all->refused);
        print_number("seconds", &seconds);
        fputs(", ", stdout);
        print_number("frames_per_second", &rate);
        fputs(", ", stdout);
        print_number("network_ms", count ? &ms : NULL);
        puts("}");
    } else if (count) {
        printf("%ld image%s in %.3f s: %.1f frames per second; the network alone: %.3f ms, %.1f per second\n", count,
               count == 1 ? "" : "s", seconds, rate, ms, 1e3 / ms);
    }
    free(all->network_ms.values);
    if (all->labels && all->labels != all->means.labels) free_labels(all->labels);
    free_meaning(&all->means);
}

static void classify_list(const instance *made, const command_line *given, stream *all) {
    photo_list found = list_photos(given->photos, given->photo_count);
    if (found.count > 1 && given->output_count) fail(USAGE, "--output takes one photo, not %ld", found.count);
    *all = open_stream(made, given, found.paths[0], found.count > 1);
    for (long i = 0; i < found.count && !stopped; i++) {
        image picture;
        double since = now_ms(CLOCK_MONOTONIC);
        const char *wrong = read_image(found.paths[i], &picture);
        if (wrong)
            refuse(all, found.paths[i], wrong);
        else
            classify(all, found.paths[i], &picture, since);
        free(found.paths[i]);
    }
    free(found.paths);
}

static void classify_frames(const instance *made, const command_line *given, stream *all) {
    const frame_format format = parse_frames("--frames", given->frames);
    uint8_t *pixels = allocate(frame_bytes(&format));
    size_t got = 0;
    int more = 0;
    char name[48];
    *all = open_stream(made, given, "--frames", 1);
    for (long i = 0; !stopped && (!given->limit || i < given->limit); i++) {
        double since = now_ms(CLOCK_MONOTONIC);
        if ((more = read_frame(&format, pixels, &got)) != 1) break;
        image picture = frame_image(&format, pixels);
        snprintf(name, sizeof name, "frame %ld", i);
        classify(all, name, &picture, since);
    }
    if (more < 0 && !stopped) {
        snprintf(name, sizeof name, "frame %ld", all->network_ms.count + all->refused);
        refuse(all, name, image_error("%zu bytes, where a frame of %s has %zu: the size or the format is another one", got,
                                      given->frames, frame_bytes(&format)));
    }
    free(pixels);
}

static void classify_camera(const instance *made, const command_line *given, stream *all) {
    image picture;
    char name[48];
    *all = open_stream(made, given, given->camera, 1);
    camera *from = open_camera(given->camera);
    for (long i = 0; !stopped && (!given->limit || i < given->limit); i++) {
        double since = now_ms(CLOCK_MONOTONIC);
        if (!next_picture(from, &picture)) break;
        snprintf(name, sizeof name, "frame %ld", i);
        classify(all, name, &picture, since);
    }
    close_camera(from);
}

long classify_photos(const instance *made, const command_line *given) {
    stream all;
    /* After Ctrl-C the last line is printed all the same; a second one ends the program. */
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop, .sa_flags = SA_RESETHAND}, NULL);
    if (given->camera)
        classify_camera(made, given, &all);
    else if (given->frames)
        classify_frames(made, given, &all);
    else
        classify_list(made, given, &all);
    close_stream(&all);
    return all.refused;
}

void fill_from_photo(const instance *made, const command_line *given) {
    image picture;
    photo_list found = list_photos(given->photos, given->photo_count);
    if (found.count != 1) fail(USAGE, "--profile takes one photo, not %ld", found.count);
    meaning means = read_meaning(made->net, given->library, found.paths[0]);
    const char *wrong = read_image(found.paths[0], &picture);
    if (!wrong) wrong = fill_input(&means.how, &picture, (void *)(uintptr_t)made->inputs[0]);
    if (wrong) fail(FAILED, "%s: %s", found.paths[0], wrong);
    free_image(&picture);
    free_meaning(&means);
    free(found.paths[0]);
    free(found.paths);
}
