/* quiet_cpu.c: the CPU on which a round of bursts runs. Other programs keep some CPUs busy, and the host of a virtual
 * machine slows some of them down without saying so, for minutes: a CPU whose sibling works for another guest was seen to
 * run at two thirds of its speed. The system does not move a program away from such a CPU, because it is not busy. So each
 * round begins with short probes of the reference, and moves on until one is as fast as the best of all rounds before. */
#include <sched.h>

#include "runner.h"

enum { MOST_CPUS = 8 };                          /* so many are tried, spread over all that this program may use */
static const double NEAR = 1.04, PROBE_MS = 3.0; /* as fast as the best; the length of a probe, and at least one run */

quiet_cpu allowed_cpus(int threads) {
    quiet_cpu found = {0};
    cpu_set_t allowed;
    if (threads != 1 || is_emulated() || sched_getaffinity(0, sizeof allowed, &allowed)) return found;
    long all = CPU_COUNT(&allowed), seen = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ * MOST_CPUS / all >= found.count && found.count < MOST_CPUS)
            found.cpus[found.count++] = cpu;
    return found;
}

static int move_to(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return !sched_setaffinity(0, sizeof one, &one);
}

static double probe(const instance *reference) {
    double start_ms = now_ms(CLOCK_MONOTONIC), least_ms = run_timed(reference);
    while (now_ms(CLOCK_MONOTONIC) - start_ms < PROBE_MS) {
        double ms = run_timed(reference);
        if (ms < least_ms) least_ms = ms;
    }
    return least_ms;
}

void find_quiet_cpu(quiet_cpu *among, const instance *reference) {
    long fastest = among->current;
    double fastest_ms = 0;
    if (among->count < 2) return;
    for (long tried = 0; tried < among->count; tried++) {
        long place = (among->current + tried) % among->count;
        if (!move_to(among->cpus[place])) continue; /* a CPU that was switched off meanwhile */
        double ms = probe(reference);
        if (!fastest_ms || ms < fastest_ms) fastest = place, fastest_ms = ms;
        if (among->best_ms && ms <= NEAR * among->best_ms) break;
    }
    if (!among->best_ms || (fastest_ms && fastest_ms < among->best_ms)) among->best_ms = fastest_ms;
    among->current = fastest;
    move_to(among->cpus[fastest]);
}
