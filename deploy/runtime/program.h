/* program.h: the tables that the generated file gives to the runtime, and the functions that its parts share. */
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

/* The network as it is compiled for one instruction set: a level of the library. */
typedef struct b2nn_program {
    const char *model_id, *target, *isa;
    const char *const *requires; /* the features that the CPU must have, and NULL at the end */
    const b2nn_tensor *inputs, *outputs;
    const b2nn_step *steps;
    int32_t input_count, output_count, step_count;
    uint64_t arena_bytes;
    uint64_t workspace_bytes; /* the scratch memory of each thread */
} b2nn_program;

/* The levels of this library, in the generated file: the first one is for all CPUs of the target, and of those that a CPU
 * can run the last one is the best. */
extern const b2nn_program b2nn_levels[];
extern const int32_t b2nn_level_count;

/* The level that runs. It is chosen when the library is loaded, and stays the same as long as there is an instance. */
extern const b2nn_program *b2nn_running;

/* Choose the level by the name of its instruction set, or by this CPU where the name is NULL or empty. A library of one
 * level has no choice. */
void b2nn_choose_level(const char *isa);

/* Whether this CPU, and the system on it, has a feature, by its name in Linux. */
int b2nn_cpu_has(const char *feature);

/* A thread's scratch memory. It is a stack, as kernels free memory in reverse order. */
typedef struct b2nn_thread {
    _Alignas(B2NN_ALIGNMENT) struct b2nn_pool *pool; /* NULL without workers; each thread has its own cache line */
    uint8_t *workspace;
    uint64_t used;
    _Atomic size_t *shortage; /* of the instance: the bytes that an allocation could not get */
    int in_task;
} b2nn_thread;

/* The thread that is computing now. Kernels call back without an instance, so each library keeps its own. */
extern _Thread_local b2nn_thread *b2nn_current;

/* These have the layouts of TVM's TVMParallelGroupEnv and FTVMParallelLambda. */
typedef struct b2nn_task_group {
    void *sync_handle;
    int32_t task_count;
} b2nn_task_group;
typedef int (*b2nn_task)(int task_id, b2nn_task_group *group, void *data);

typedef struct b2nn_pool b2nn_pool;

enum { B2NN_FORKED = -0x464b }; /* the status of a launch in a forked child of the process that has the workers */

/* Start a worker for each thread but threads[0], which is the caller's, on `cpus` CPUs. NULL on failure. */
b2nn_pool *b2nn_pool_create(b2nn_thread *threads, int32_t count, int32_t cpus);
void b2nn_pool_destroy(b2nn_pool *pool);
/* Begin a run: its first launch will check that the workers are in this process. */
void b2nn_pool_enter(b2nn_pool *pool);
/* Run the tasks 0 .. task_count-1 and wait for them; a count of 0 means one task for each thread. Returns 0, or the
 * status of a task that failed. */
int b2nn_pool_launch(b2nn_task task, void *data, int task_count);

#pragma GCC visibility pop
#endif
