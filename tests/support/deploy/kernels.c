/* Kernels as TVM makes them, by hand: parallel loops and scratch memory come through weak pointers.
 * FACTOR and WORKSPACE are given on the command line. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { N = 1000 };

typedef struct { void *sync_handle; int32_t num_task; } group;
typedef int (*lambda)(int, group *, void *);

__attribute__((weak)) void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
__attribute__((weak)) int (*__TVMBackendFreeWorkspace)(int, int, void *);
__attribute__((weak)) int (*__TVMBackendParallelLaunch)(lambda, void *, int);

static int misaligned(const void *pointer) { return (uintptr_t)pointer % 64 != 0; }

/* out[i] = x[i] * c[i] * FACTOR */
int scale(void *x, void *c, void *out) {
    if (misaligned(x) || misaligned(c) || misaligned(out)) return 64;
    for (int i = 0; i < N; i++) ((float *)out)[i] = ((float *)x)[i] * ((float *)c)[i] * FACTOR;
    return 0;
}

typedef struct { float *in, *copy, *out; int nested; } closure;

static int add_one(int task, group *group, void *data) {
    closure *c = data;
    int chunk = (N + group->num_task - 1) / group->num_task, begin = task * chunk;
    int end = begin + chunk < N ? begin + chunk : N;
    if (begin >= end) return 0;
    float *own = __TVMBackendAllocWorkspace(1, 0, (uint64_t)chunk * 4, 2, 32);
    if (!own) return -1;
    if (misaligned(own)) return 64;
    memcpy(own, c->copy + begin, (size_t)(end - begin) * 4);
    for (int i = begin; i < end; i++) c->out[i] = own[i - begin] + 1;
    return __TVMBackendFreeWorkspace(1, 0, own);
}

static int copy(int task, group *group, void *data) {
    closure *c = data;
    for (int i = task; i < N; i += group->num_task) c->copy[i] = c->in[i];
    if (!c->nested || task) return 0;
    closure inner = {c->in, c->in, c->out, 0};
    return __TVMBackendParallelLaunch(add_one, &inner, 0);
}

static int shift(void *x, void *out, int tasks, int nested) {
    if (misaligned(x) || misaligned(out)) return 64;
    float *scratch = __TVMBackendAllocWorkspace(1, 0, N * 4, 2, 32);
    if (!scratch) return -1;
    closure c = {x, scratch, out, nested};
    int status = __TVMBackendParallelLaunch(copy, &c, tasks);
    if (!status) status = __TVMBackendParallelLaunch(add_one, &c, tasks);
    return status ? status : __TVMBackendFreeWorkspace(1, 0, scratch);
}

/* out[i] = x[i] + 1, with two parallel loops over scratch memory: in as many tasks as threads, or in 7. */
int shift_one(void *x, void *out) { return shift(x, out, 0, 0); }
int shift_seven_tasks(void *x, void *out) { return shift(x, out, 7, 0); }
int shift_nested(void *x, void *out) { return shift(x, out, 0, 1); }

/* out[0] = number of tasks of a loop that takes one for each thread */
static int count(int task, group *group, void *data) {
    if (task == 0) *(int32_t *)data = group->num_task;
    return 0;
}
int count_tasks(void *out) { return __TVMBackendParallelLaunch(count, out, 0); }

static pthread_t launching;
static int mark_own(int task, group *group, void *data) {
    (void)group;
    ((float *)data)[task] = pthread_equal(pthread_self(), launching) != 0;
    return 0;
}
/* out[t] = 1 where task t of a loop of one for each thread, which takes no time, was run by the caller. */
int mark_callers(void *x, void *out) {
    launching = pthread_self();
    memset(out, 0, N * 4);
    return (void)x, __TVMBackendParallelLaunch(mark_own, out, 0);
}

static int fail_last(int task, group *group, void *data) { return (void)data, task == group->num_task - 1 ? 7 : 0; }
/* Fails with status 7 in the last task where x[0] is negative, after taking scratch memory that it does not free. */
int fail_if_negative(void *x, void *out) {
    float *scratch = __TVMBackendAllocWorkspace(1, 0, N * 4, 2, 32);
    if (!scratch) return -1;
    if (*(float *)x < 0) return __TVMBackendParallelLaunch(fail_last, out, 0);
    memcpy(out, x, N * 4);
    return __TVMBackendFreeWorkspace(1, 0, scratch);
}

/* Asks for more scratch memory than was planned. */
int ask_too_much(void *x, void *out) {
    (void)x, (void)out;
    return __TVMBackendAllocWorkspace(1, 0, 1000000, 2, 32) ? 0 : -1;
}
