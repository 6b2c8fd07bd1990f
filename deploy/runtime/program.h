/* program.h: what the generated file gives to the runtime, and what the parts of the runtime give to one another. */
#ifndef B2NN_PROGRAM_H
#define B2NN_PROGRAM_H

#include <stdatomic.h>
#include <stddef.h>

#include "b2nn.h"

#pragma GCC visibility push(hidden)

#define B2NN_ALIGNMENT 64
#define B2NN_MAX_THREADS 256

typedef struct b2nn_step {
    int (*call)(void *const *inputs, void *const *outputs, uint8_t *arena);
    const char *symbol;
    const char *layer;
} b2nn_step;

typedef struct b2nn_program {
    const char *model_id, *target, *isa;
    const char *const *requires; /* features of the CPU, and NULL */
    const b2nn_tensor *inputs, *outputs;
    const b2nn_step *steps;
    int32_t input_count, output_count, step_count;
    uint64_t arena_bytes;
    uint64_t workspace_bytes; /* of each thread */
} b2nn_program;

/* Generated. */
extern const b2nn_program b2nn_the_program;

/* A thread's scratch memory: a stack, as kernels free in reverse order. */
typedef struct b2nn_thread {
    _Alignas(B2NN_ALIGNMENT) struct b2nn_pool *pool; /* a cache line for each thread; NULL without workers */
    uint8_t *workspace;
    uint64_t used;
    _Atomic size_t *shortage; /* the instance's: bytes that an allocation could not get */
    int in_task;
} b2nn_thread;

/* The thread that is computing now. Kernels call back without an instance, so each library keeps its own. */
extern _Thread_local b2nn_thread *b2nn_current;

/* The layout of TVM's TVMParallelGroupEnv and FTVMParallelLambda. */
typedef struct b2nn_task_group {
    void *sync_handle;
    int32_t task_count;
} b2nn_task_group;
typedef int (*b2nn_task)(int task_id, b2nn_task_group *group, void *data);

typedef struct b2nn_pool b2nn_pool;

enum { B2NN_FORKED = -0x464b }; /* the status of a launch in a child of the process that has the workers */

/* threads[0] is the caller's; a worker is started for each other, on `cpus` CPUs. NULL on failure. */
b2nn_pool *b2nn_pool_create(b2nn_thread *threads, int32_t count, int32_t cpus);
void b2nn_pool_destroy(b2nn_pool *pool);
/* A run begins: the first launch in it will see whether the workers are in this process. */
void b2nn_pool_enter(b2nn_pool *pool);
/* Run tasks 0 .. task_count-1 and wait; 0 means one for each thread. Returns 0 or the status of a task that failed. */
int b2nn_pool_launch(b2nn_task task, void *data, int task_count);

#pragma GCC visibility pop
#endif
