/* backend.c: the three functions that kernels compiled by TVM call, through pointers that TVM's objects declare weak.
 *
 * The definitions here are strong and hidden, so that each library binds to its own definitions.
 */
#include "program.h"

static void *take(int device_type, int device_id, uint64_t bytes, int dtype_code, int dtype_bits) {
    (void)device_type, (void)device_id, (void)dtype_code, (void)dtype_bits;
    b2nn_thread *self = b2nn_current;
    uint64_t room = b2nn_running->workspace_bytes - self->used;
    if (bytes > room) {
        atomic_store(self->shortage, (size_t)(bytes - room));
        return NULL;
    }
    uint8_t *memory = self->workspace + self->used;
    uint64_t rounded = (bytes + B2NN_ALIGNMENT - 1) / B2NN_ALIGNMENT * B2NN_ALIGNMENT;
    self->used += rounded < room ? rounded : room;
    return memory;
}

static int give_back(int device_type, int device_id, void *memory) {
    (void)device_type, (void)device_id;
    b2nn_thread *self = b2nn_current;
    self->used = (uint64_t)((uint8_t *)memory - self->workspace);
    return 0;
}

#pragma GCC visibility push(hidden)
void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = take;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = give_back;
int (*__TVMBackendParallelLaunch)(b2nn_task, void *, int) = b2nn_pool_launch;
#pragma GCC visibility pop
