/* interleave.c: networks take turns in short bursts, in a new random order in each round, and each burst of a network
 * stands between two bursts of the reference. What disturbs the machine for longer than a burst then shows in the bursts of
 * the reference, too. A second reference has its burst after each of the first: where one of the two streams more weights
 * than caches hold and the other does not, they tell apart what disturbs the core and what disturbs the memory. The rows
 * are JSON Lines; a row is written as soon as its burst is over, between two bursts. */
#include <stdlib.h>
#include <sys/resource.h>

#include "runner.h"

enum { REFERENCE = -1 };
static const double SECOND_PART = 0.5; /* a burst of the second reference, over one of the first */
static const double WARM = 2.5; /* the caches are warmed for so many times the length of a burst, at most */
static const struct timespec until_workers_sleep = {0, 300000}; /* they poll for 0.2 ms after a run (runtime/threads.c) */

/* A network that takes turns, with room for the times of one burst: a column for the whole run, or one for each step. */
typedef struct turn {
    net net;
    instance instance;
    int profiled;
    samples times;
    double warm_ms; /* the time of a run when it last had its turn */
} turn;

/* The generator splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t draw(uint64_t *state) {
    uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/* Fisher and Yates: from 0, 1, 2, ... the last place is exchanged with a random one up to itself, then the one before. */
static void shuffle(long *order, long count, uint64_t *state) {
    for (long i = 0; i < count; i++) order[i] = i;
    for (long last = count - 1; last > 0; last--) {
        long other = (long)(draw(state) % (uint64_t)(last + 1)), kept = order[last];
        order[last] = order[other];
        order[other] = kept;
    }
}

static void end_row(void) {
    puts("}");
    if (fflush(stdout) || ferror(stdout)) fail(FAILED, "cannot write to stdout");
}

static void prepare(turn *made, const char *library, const interleave_options *options, int profiled) {
    made->net = load_library(library);
    made->instance = make_instance(&made->net, options->threads, NULL);
    made->profiled = profiled;
    made->times.width = profiled ? made->net.b2nn_step_count_() : 1;
}

/* The row is a sign of life for a reader who waits for the first burst. */
static void warm_up(turn *of, long network, long runs) {
    for (long run = 0; run < runs; run++) of->warm_ms = run_timed(&of->instance);
    printf("{\"row\": \"warm\", \"network\": %ld", network);
    end_row();
}

/* How often this thread had to give up its CPU. */
static long switches_now(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) ? -1 : usage.ru_nivcsw;
}

/* The least time of a run in the last burst. */
static double least_ms_of(const turn *of) {
    double least_ms = of->times.values[0];
    for (long i = 1; i < of->times.count; i++)
        if (of->times.values[i] < least_ms) least_ms = of->times.values[i];
    return least_ms;
}

static void burst(turn *of, long round, long network, double least_ms) {
    const instance *made = &of->instance;
    if (made->net->b2nn_model_threads_(made->model) > 1) nanosleep(&until_workers_sleep, NULL);
    double warm_ms = warm_caches(made, of->warm_ms, WARM * least_ms);
    if (warm_ms) of->warm_ms = warm_ms;
    of->times.count = 0;
    long switches = switches_now();
    /* The wall clock is read first here and last below, so that it is never behind the CPU time. */
    double start_ms = now_ms(CLOCK_MONOTONIC), cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
    do {
        double *row = new_row(&of->times);
        if (of->profiled)
            run_profiled(made, row);
        else
            *row = run_timed(made);
    } while (now_ms(CLOCK_MONOTONIC) - start_ms < least_ms);
    cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu_ms;
    double wall_ms = now_ms(CLOCK_MONOTONIC) - start_ms;
    if (switches >= 0) switches = switches_now() - switches;

    const samples *times = &of->times;
    printf("{\"row\": \"burst\", \"round\": %ld, \"network\": %ld, \"run_ms\": ", round, network);
    print_numbers(times->values, of->profiled ? 0 : times->count);
    fputs(", \"step_ms\": [", stdout);
    for (long i = 0; of->profiled && i < times->count; i++) {
        if (i) fputs(", ", stdout);
        print_numbers(times->values + i * times->width, times->width);
    }
    printf("], \"wall_ms\": %.6f, \"cpu_ms\": %.6f, \"switches\": %ld", wall_ms, cpu_ms, switches);
    end_row();
}

/* A burst of each reference; `second` is NULL where there is one. */
static void reference_bursts(turn *reference, turn *second, long round, long index, double burst_ms) {
    burst(reference, round, REFERENCE, burst_ms);
    if (second) burst(second, round, index, SECOND_PART * burst_ms);
}

static void print_round(long round, double wall_ms, double own_ms, cpu_time before) {
    cpu_time now = system_cpu_time();
    int known = now.busy_ms >= 0 && before.busy_ms >= 0;
    printf("{\"row\": \"round\", \"round\": %ld, \"wall_ms\": %.6f, \"own_ms\": %.6f, ", round, wall_ms, own_ms);
    printf("\"busy_ms\": %.6f, \"stolen_ms\": %.6f, ", known ? now.busy_ms - before.busy_ms : -1,
           known ? now.stolen_ms - before.stolen_ms : -1);
    print_conditions();
    end_row();
}

static void print_start(const turn *reference, const turn *turns, long count, const interleave_options *options) {
    fputs("{\"row\": \"start\", \"kind\": \"b2nn-bursts\", \"format_version\": 1, ", stdout);
    print_member("reference", reference->net.b2nn_model_id_());
    fputs(", \"networks\": [", stdout);
    for (long i = 0; i < count; i++) {
        if (i) fputs(", ", stdout);
        print_string(turns[i].net.b2nn_model_id_());
    }
    printf("], \"threads\": %d, ", (int)reference->net.b2nn_model_threads_(reference->instance.model));
    printf("\"rounds\": %ld, \"burst_ms\": %.6f, \"seed\": %llu, \"warmup\": %ld, ", options->rounds, options->burst_ms,
           (unsigned long long)options->seed, options->warmup);
    print_device();
    fputs(", ", stdout);
    print_conditions();
    end_row();
}

void interleave(const char *const *libraries, long count, const interleave_options *options) {
    turn *turns = allocate((uint64_t)(count + 1) * sizeof *turns), *reference = turns + count;
    long *order = allocate((uint64_t)count * sizeof *order);
    turn *second = options->second ? turns + count - 1 : NULL, *probed = second ? second : reference;
    long takers = second ? count - 1 : count; /* the networks that have turns */
    uint64_t state = options->seed;
    quiet places;
    for (long i = 0; i < count; i++) prepare(&turns[i], libraries[i], options, options->profiled && i < takers);
    prepare(reference, options->reference, options, 0);
    if (is_emulated()) fputs("note: this CPU is emulated: the times are no latencies of a board\n", stderr);
    print_start(reference, turns, count, options);
    for (long i = 0; i <= count; i++) warm_up(&turns[i], i < count ? i : REFERENCE, options->warmup);
    places = start_quiet(options, (int)reference->net.b2nn_model_threads_(reference->instance.model));
    for (long round = 0; round < options->rounds; round++) {
        find_quiet(&places, &probed->instance);
        double start_ms = now_ms(CLOCK_MONOTONIC), own_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        cpu_time before = system_cpu_time();
        shuffle(order, takers, &state);
        reference_bursts(reference, second, round, takers, options->burst_ms);
        for (long i = 0; i < takers; i++) {
            if (places.patience_ms > 0 && !is_quiet(&places, least_ms_of(probed))) {
                find_quiet(&places, &probed->instance);
                reference_bursts(reference, second, round, takers, options->burst_ms);
            }
            burst(&turns[order[i]], round, order[i], options->burst_ms);
            reference_bursts(reference, second, round, takers, options->burst_ms);
        }
        if (!takers) reference_bursts(reference, second, round, takers, options->burst_ms);
        print_round(round, now_ms(CLOCK_MONOTONIC) - start_ms, now_ms(CLOCK_PROCESS_CPUTIME_ID) - own_ms, before);
    }
    fputs("{\"row\": \"end\"", stdout);
    end_row();
    for (long i = 0; i <= count; i++) {
        free_instance(&turns[i].instance);
        free(turns[i].times.values);
    }
    free(turns);
    free(order);
}
