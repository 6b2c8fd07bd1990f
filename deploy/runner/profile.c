/* profile.c: the times of runs and steps as JSON Lines: a row for each run as it comes, and the statistics last. */
#include <stdlib.h>
#include <string.h>

#include "runner.h"

enum { MIN_RUNS = 10, MIN_PROFILED = 5, MAX_RUNS = 20000 };
static const double max_stretch = 3; /* times the requested seconds; then a slow network ends before MIN_RUNS runs */
static const double flush_seconds = 0.02; /* between flushes: each wakes the reader, which takes CPU time from a run */

static double seconds_now(void) { return now_ms(CLOCK_MONOTONIC) / 1000; }

static void end_row(int at_once) {
    static double flushed;
    puts("}");
    double now = seconds_now();
    if (!at_once && now - flushed < flush_seconds) return;
    if (fflush(stdout) || ferror(stdout)) fail(FAILED, "cannot write to stdout");
    flushed = now;
}

/* Whether one more run is wanted after `done` runs since `start`. */
static int goes_on(long done, long wanted, long at_least, double start, double seconds) {
    if (wanted >= 0) return done < wanted;
    double elapsed = seconds_now() - start;
    return done < MAX_RUNS && elapsed < max_stretch * seconds && (elapsed < seconds || done < at_least);
}

/* The layers in the order of their first step, and the layer of each step. */
typedef struct layers {
    const char **names;
    long *of_step;
    long count, steps;
} layers;

static layers find_layers(const net *of) {
    layers found = {.steps = of->b2nn_step_count_()};
    found.names = allocate((uint64_t)found.steps * sizeof *found.names);
    found.of_step = allocate((uint64_t)found.steps * sizeof *found.of_step);
    for (long step = 0; step < found.steps; step++) {
        const char *name = of->b2nn_step_layer_((int32_t)step);
        long layer = 0;
        while (layer < found.count && strcmp(found.names[layer], name)) layer++;
        if (layer == found.count) found.names[found.count++] = name;
        found.of_step[step] = layer;
    }
    return found;
}

static void print_origin(const instance *made) {
    printf("\"threads\": %d, ", (int)made->net->b2nn_model_threads_(made->model));
    print_member("target", made->net->b2nn_target_());
    fputs(", ", stdout);
    print_member("isa", made->net->b2nn_isa_());
    fputs(", ", stdout);
    print_device();
    fputs(", ", stdout);
    print_conditions();
}

static void print_start(const instance *made, long warmup) {
    fputs("{\"row\": \"start\", \"kind\": \"b2nn-profile\", \"format_version\": 1, ", stdout);
    printf("\"abi_version\": %d, ", (int)made->net->b2nn_abi_version_());
    print_member("model_id", made->net->b2nn_model_id_());
    printf(", \"warmup\": %ld, \"step_layers\": [", warmup);
    for (int32_t step = 0; step < made->net->b2nn_step_count_(); step++) {
        if (step) fputs(", ", stdout);
        print_string(made->net->b2nn_step_layer_(step));
    }
    fputs("], ", stdout);
    print_origin(made);
    end_row(1);
}

static void print_layers(const samples *layer_ms, const layers *all) {
    double total = 0;
    statistics *of = allocate((uint64_t)all->count * sizeof *of);
    for (long layer = 0; layer < all->count; layer++) total += (of[layer] = summarize(layer_ms, layer)).median;
    fputs("\"per_layer\": [", stdout);
    for (long layer = 0; layer < all->count && layer_ms->count; layer++) {
        double share = total > 0 ? of[layer].median / total : 0;
        printf("%s{", layer ? ", " : "");
        print_member("name", all->names[layer]);
        printf(", \"median_ms\": %.6f, \"min_ms\": %.6f, \"share\": %.6f}", of[layer].median, of[layer].least, share);
    }
    putchar(']');
    free(of);
}

static void print_end(const instance *made, const samples *run_ms, const samples *layer_ms, const layers *all) {
    statistics run = summarize(run_ms, 0);
    double spread = run.median > 0 ? (run.p90 - run.p10) / run.median : 0;
    const struct {
        const char *name;
        const double *value;
    } figures[] = {{"median_ms", &run.median}, {"min_ms", &run.least}, {"p10_ms", &run.p10}, {"p90_ms", &run.p90}, {"spread", &spread}};
    fputs("{\"row\": \"end\", ", stdout);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        print_number(figures[i].name, run_ms->count ? figures[i].value : NULL);
        fputs(", ", stdout);
    }
    printf("\"runs\": %ld, \"profiles\": %ld, ", run_ms->count, layer_ms->count);
    print_layers(layer_ms, all);
    fputs(", ", stdout);
    print_origin(made);
    end_row(1);
}

void profile(const instance *made, const profile_options *options) {
    layers all = find_layers(made->net);
    samples run_ms = {.width = 1}, layer_ms = {.width = all.count};
    double *step_ms = allocate((uint64_t)all.steps * sizeof(double));
    if (is_emulated()) fputs("note: this CPU is emulated: the times are no latencies of a board\n", stderr);
    print_start(made, options->warmup);
    for (long i = 0; i < options->warmup; i++) run_timed(made);
    for (double start = seconds_now(); goes_on(run_ms.count, options->runs, MIN_RUNS, start, options->seconds);) {
        double ms = *new_row(&run_ms) = run_timed(made);
        printf("{\"row\": \"run\", \"ms\": %.6f", ms);
        end_row(0);
    }
    for (double start = seconds_now(); goes_on(layer_ms.count, options->profiles, MIN_PROFILED, start, options->seconds / 2);) {
        run_profiled(made, step_ms);
        double *row = new_row(&layer_ms);
        for (long step = 0; step < all.steps; step++) row[all.of_step[step]] += step_ms[step];
        fputs("{\"row\": \"steps\", \"ms\": ", stdout);
        print_numbers(step_ms, all.steps);
        end_row(0);
    }
    print_end(made, &run_ms, &layer_ms, &all);
    free(step_ms);
    free(run_ms.values);
    free(layer_ms.values);
    free(all.names);
    free(all.of_step);
}
