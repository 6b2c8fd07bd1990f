/* quiet.c: where and when bursts run. A CPU whose sibling thread is busy runs at two thirds of its speed, be it busy with
 * another program or, on a virtual machine, with another guest, of which no counter tells. The system does not move a
 * program away from such a CPU. So short probes of the reference look for a CPU on which it is as fast as it can be, and
 * where there is none, the program waits for a while: what is measured beside others would have to be measured again. */
#include <sched.h>

#include "runner.h"

enum { MOST_CPUS = sizeof((quiet *)0)->cpus / sizeof(int) }; /* so many are tried, spread over all that may be used */
static const double NEAR = 1.08, PROBE_MS = 3.0, WARM_MS = 30.0; /* of the undisturbed time; and at least one run */
static const struct timespec between_probes = {0, 20000000};

quiet start_quiet(const interleave_options *options, int threads) {
    quiet found = {.best_ms = options->quiet_ms, .patience_ms = options->quiet_ms ? options->patience_ms : 0};
    cpu_set_t allowed;
    if (is_emulated()) found.patience_ms = 0;
    if (threads != 1 || is_emulated() || sched_getaffinity(0, sizeof allowed, &allowed)) return found;
    long all = CPU_COUNT(&allowed), seen = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ * MOST_CPUS / all >= found.count && found.count < MOST_CPUS)
            found.cpus[found.count++] = cpu;
    return found;
}

int is_quiet(const quiet *known, double ms) { return ms <= NEAR * known->best_ms; }

static int move_to(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return !sched_setaffinity(0, sizeof one, &one);
}

static double probe(const instance *reference) {
    double start_ms = now_ms(CLOCK_MONOTONIC), least_ms = warm_caches(reference, 0, WARM_MS);
    while (now_ms(CLOCK_MONOTONIC) - start_ms < PROBE_MS) {
        double ms = run_timed(reference);
        if (ms < least_ms) least_ms = ms;
    }
    return least_ms;
}

/* Probe the CPUs in turn, from the one in use on, until one is quiet, and stay on the fastest; its time. */
static double try_cpus(quiet *among, const instance *reference) {
    if (among->count < 2) return probe(reference);
    long fastest = among->current;
    double fastest_ms = 0;
    for (long tried = 0; tried < among->count; tried++) {
        long place = (among->current + tried) % among->count;
        if (!move_to(among->cpus[place])) continue; /* a CPU that was switched off meanwhile */
        double ms = probe(reference);
        if (!fastest_ms || ms < fastest_ms) fastest = place, fastest_ms = ms;
        if (is_quiet(among, ms)) break;
    }
    among->current = fastest;
    move_to(among->cpus[fastest]);
    return fastest_ms;
}

void find_quiet(quiet *among, const instance *reference) {
    for (;;) {
        double start_ms = now_ms(CLOCK_MONOTONIC), ms = try_cpus(among, reference);
        if (!among->best_ms) among->best_ms = ms;
        if (is_quiet(among, ms) || among->patience_ms <= 0) return;
        nanosleep(&between_probes, NULL);
        among->patience_ms -= now_ms(CLOCK_MONOTONIC) - start_ms;
    }
}
