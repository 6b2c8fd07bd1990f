/* model.c: the instances of the network, and their runs, which are a straight line of kernel calls. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

struct b2nn_model {
    b2nn_pool *pool; /* NULL with one thread */
    b2nn_thread *threads;
    int32_t thread_count;
    uint8_t *arena;
    uint8_t **staging; /* a buffer for each input, then each output, used where the caller's is not aligned */
    void **pointers;   /* the buffers that the kernels get, in the same order */
    _Atomic size_t shortage; /* no uint64_t, as atomic access to 64 bits needs a lock on some 32-bit CPUs */
    atomic_flag running;
    char error[256];
};

int32_t b2nn_abi_version(void) { return B2NN_ABI_VERSION; }
const char *b2nn_model_id(void) { return b2nn_running->model_id; }
const char *b2nn_target(void) { return b2nn_running->target; }
const char *b2nn_isa(void) { return b2nn_running->isa; }
int32_t b2nn_input_count(void) { return b2nn_running->input_count; }
int32_t b2nn_output_count(void) { return b2nn_running->output_count; }
int32_t b2nn_step_count(void) { return b2nn_running->step_count; }

const b2nn_tensor *b2nn_input(int32_t index) {
    return index >= 0 && index < b2nn_running->input_count ? &b2nn_running->inputs[index] : NULL;
}

const b2nn_tensor *b2nn_output(int32_t index) {
    return index >= 0 && index < b2nn_running->output_count ? &b2nn_running->outputs[index] : NULL;
}

const char *b2nn_step_name(int32_t index) {
    return index >= 0 && index < b2nn_running->step_count ? b2nn_running->steps[index].symbol : NULL;
}

const char *b2nn_step_layer(int32_t index) {
    return index >= 0 && index < b2nn_running->step_count ? b2nn_running->steps[index].layer : NULL;
}

const char *b2nn_status_text(int32_t status) {
    static const char *const texts[] = {
        "ok",
        "a bad argument: a null pointer, a thread count that is not 0 to 256, or a model made by another process",
        "not enough memory for an instance of the network",
        "a worker thread could not be started",
        "a kernel failed",
        "another thread is inside a run of this instance",
        "this CPU lacks instructions that the network was compiled for",
    };
    return status >= 0 && status < (int32_t)(sizeof texts / sizeof *texts) ? texts[status] : "an unknown status";
}

static void *aligned(uint64_t bytes) {
    void *memory = NULL;
    if (bytes > SIZE_MAX - B2NN_ALIGNMENT) return NULL;
    bytes = (bytes + B2NN_ALIGNMENT - 1) / B2NN_ALIGNMENT * B2NN_ALIGNMENT;
    return posix_memalign(&memory, B2NN_ALIGNMENT, bytes ? (size_t)bytes : B2NN_ALIGNMENT) ? NULL : memory;
}

static int32_t usable_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

static const b2nn_tensor *tensor(int32_t index) {
    int32_t count = b2nn_running->input_count;
    return index < count ? &b2nn_running->inputs[index] : &b2nn_running->outputs[index - count];
}

static int32_t allocate(b2nn_model *model) {
    int32_t tensors = b2nn_running->input_count + b2nn_running->output_count;
    model->arena = aligned(b2nn_running->arena_bytes);
    model->staging = calloc((size_t)tensors + 1, sizeof *model->staging);
    model->pointers = calloc((size_t)tensors + 1, sizeof *model->pointers);
    model->threads = aligned((uint64_t)model->thread_count * sizeof *model->threads);
    if (model->threads) memset(model->threads, 0, (size_t)model->thread_count * sizeof *model->threads);
    if (!model->arena || !model->staging || !model->pointers || !model->threads) return B2NN_ERROR_MEMORY;
    memset(model->arena, 0, (size_t)b2nn_running->arena_bytes); /* packed activations rely on a border of zero bits */
    for (int32_t i = 0; i < tensors; i++)
        if (!(model->staging[i] = aligned(tensor(i)->size_bytes))) return B2NN_ERROR_MEMORY;
    for (int32_t i = 0; i < model->thread_count; i++) {
        model->threads[i].shortage = &model->shortage;
        if (!(model->threads[i].workspace = aligned(b2nn_running->workspace_bytes))) return B2NN_ERROR_MEMORY;
    }
    if (model->thread_count == 1) return B2NN_OK;
    model->pool = b2nn_pool_create(model->threads, model->thread_count, usable_cpus());
    return model->pool ? B2NN_OK : B2NN_ERROR_THREAD;
}

int32_t b2nn_model_create(b2nn_model **out, int32_t threads) {
    if (!out) return B2NN_ERROR_ARGUMENT;
    *out = NULL;
    if (threads < 0 || threads > B2NN_MAX_THREADS) return B2NN_ERROR_ARGUMENT;
    if (b2nn_cpu_missing()) return B2NN_ERROR_CPU;
    if (threads == 0) threads = usable_cpus();
    b2nn_model *model = calloc(1, sizeof *model);
    if (!model) return B2NN_ERROR_MEMORY;
    atomic_flag_clear(&model->running);
    model->thread_count = threads < B2NN_MAX_THREADS ? threads : B2NN_MAX_THREADS;
    int32_t status = allocate(model);
    if (status != B2NN_OK) {
        b2nn_model_destroy(model);
        return status;
    }
    *out = model;
    return B2NN_OK;
}

void b2nn_model_destroy(b2nn_model *model) {
    if (!model) return;
    if (model->pool) b2nn_pool_destroy(model->pool);
    for (int32_t i = 0; model->threads && i < model->thread_count; i++) free(model->threads[i].workspace);
    for (int32_t i = 0; model->staging && i < b2nn_running->input_count + b2nn_running->output_count; i++)
        free(model->staging[i]);
    free(model->threads);
    free(model->staging);
    free(model->pointers);
    free(model->arena);
    free(model);
}

int32_t b2nn_model_threads(const b2nn_model *model) { return model ? model->thread_count : 0; }

const char *b2nn_model_error(const b2nn_model *model) { return model ? model->error : "the model is a null pointer"; }

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static int is_aligned(const void *pointer) { return (uintptr_t)pointer % B2NN_ALIGNMENT == 0; }

/* Put the buffers that the kernels get into model->pointers, and copy the inputs that are not aligned. */
static int32_t bind(b2nn_model *model, const void *const *inputs, void *const *outputs) {
    int32_t count = b2nn_running->input_count;
    for (int32_t i = 0; i < count + b2nn_running->output_count; i++) {
        const void *given = i < count ? inputs[i] : outputs[i - count];
        if (!given) {
            snprintf(model->error, sizeof model->error, "%s %d (%s) is a null pointer", i < count ? "input" : "output",
                     (int)(i < count ? i : i - count), tensor(i)->name);
            return B2NN_ERROR_ARGUMENT;
        }
        model->pointers[i] = is_aligned(given) ? (void *)(uintptr_t)given : model->staging[i];
        if (i < count && !is_aligned(given)) memcpy(model->staging[i], given, (size_t)tensor(i)->size_bytes);
    }
    return B2NN_OK;
}

static int32_t call_steps(b2nn_model *model, double *step_ms) {
    for (int32_t i = 0; i < b2nn_running->step_count; i++) {
        const b2nn_step *step = &b2nn_running->steps[i];
        model->threads[0].used = 0;
        double start = step_ms ? now_ms() : 0;
        int status = step->call(model->pointers, model->pointers + b2nn_running->input_count, model->arena);
        if (step_ms) step_ms[i] = now_ms() - start;
        if (status == 0) continue;
        if (status == B2NN_FORKED) {
            snprintf(model->error, sizeof model->error, "the instance was made before fork(): its worker threads are gone");
            return B2NN_ERROR_ARGUMENT;
        }
        size_t shortage = atomic_load(&model->shortage);
        int length = snprintf(model->error, sizeof model->error, "step %d (%s, layer %s) failed with status %d", (int)i,
                              step->symbol, step->layer, status);
        if (shortage && length > 0 && (size_t)length < sizeof model->error)
            snprintf(model->error + length, sizeof model->error - (size_t)length,
                     ": it asked for %llu bytes of scratch memory beyond the %llu planned for a thread",
                     (unsigned long long)shortage, (unsigned long long)b2nn_running->workspace_bytes);
        return B2NN_ERROR_KERNEL;
    }
    return B2NN_OK;
}

static int32_t run_bound(b2nn_model *model, void *const *outputs, double *step_ms) {
    b2nn_thread *outer = b2nn_current;
    b2nn_current = &model->threads[0];
    if (model->pool) b2nn_pool_enter(model->pool);
    int32_t status = call_steps(model, step_ms);
    b2nn_current = outer;
    void *const *written = model->pointers + b2nn_running->input_count;
    for (int32_t i = 0; status == B2NN_OK && i < b2nn_running->output_count; i++)
        if (written[i] != outputs[i]) memcpy(outputs[i], written[i], (size_t)b2nn_running->outputs[i].size_bytes);
    return status;
}

static int32_t run(b2nn_model *model, const void *const *inputs, void *const *outputs, double *run_ms,
                   double *step_ms) {
    if (!model) return B2NN_ERROR_ARGUMENT;
    if (atomic_flag_test_and_set_explicit(&model->running, memory_order_acquire)) return B2NN_ERROR_BUSY;
    double start = run_ms ? now_ms() : 0;
    int32_t status = B2NN_ERROR_ARGUMENT;
    model->error[0] = '\0';
    atomic_store(&model->shortage, 0);
    if (!inputs || !outputs)
        snprintf(model->error, sizeof model->error, "the table of %s is a null pointer", inputs ? "outputs" : "inputs");
    else if ((status = bind(model, inputs, outputs)) == B2NN_OK)
        status = run_bound(model, outputs, step_ms);
    if (run_ms) *run_ms = now_ms() - start;
    atomic_flag_clear_explicit(&model->running, memory_order_release);
    return status;
}

int32_t b2nn_model_run(b2nn_model *model, const void *const *inputs, void *const *outputs) {
    return run(model, inputs, outputs, NULL, NULL);
}

int32_t b2nn_model_run_timed(b2nn_model *model, const void *const *inputs, void *const *outputs, double *run_ms) {
    return run_ms ? run(model, inputs, outputs, run_ms, NULL) : B2NN_ERROR_ARGUMENT;
}

int32_t b2nn_model_run_profiled(b2nn_model *model, const void *const *inputs, void *const *outputs, double *step_ms) {
    return step_ms ? run(model, inputs, outputs, NULL, step_ms) : B2NN_ERROR_ARGUMENT;
}
