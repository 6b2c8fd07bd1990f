/* b2nn.h: the C interface of a compiled network.
 *
 * The library holds one network: its kernels, its constants and the order of the calls. It needs libc, libm and
 * pthreads, nothing else. Libraries of several networks can be loaded into one process, with dlopen(..., RTLD_LOCAL);
 * they share nothing.
 *
 *     b2nn_model *model;
 *     if (b2nn_model_create(&model, 4) != B2NN_OK) ...
 *     const void *inputs[] = {image};
 *     void *outputs[] = {logits};
 *     if (b2nn_model_run(model, inputs, outputs) != B2NN_OK) puts(b2nn_model_error(model));
 *     b2nn_model_destroy(model);
 */
#ifndef B2NN_H
#define B2NN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows by one with every change that an old caller would notice. */
#define B2NN_ABI_VERSION 1

#define B2NN_API __attribute__((visibility("default")))

/* The statuses that functions return. */
enum {
    B2NN_OK = 0,
    B2NN_ERROR_ARGUMENT = 1, /* a null pointer, a thread count out of range, a model of another process */
    B2NN_ERROR_MEMORY = 2,   /* not enough memory for the instance */
    B2NN_ERROR_THREAD = 3,   /* a worker thread could not be started */
    B2NN_ERROR_KERNEL = 4,   /* a kernel failed; b2nn_model_error names it */
    B2NN_ERROR_BUSY = 5,     /* another thread is inside a run of this instance */
    B2NN_ERROR_CPU = 6       /* this CPU lacks instructions of the library's target; b2nn_cpu_missing names them */
};

/* A tensor: dense, row-major, little-endian. dtype is numpy's name of its type ("float32", "int8", ...). */
typedef struct b2nn_tensor {
    const char *name;
    const char *dtype;
    int32_t rank;
    const int64_t *shape;
    uint64_t size_bytes;
} b2nn_tensor;

/* One instance of the network: activations, scratch memory and worker threads. All instances share the constants. */
typedef struct b2nn_model b2nn_model;

/* ---- about the network; all pointers stay valid as long as the library is loaded ---- */

/* B2NN_ABI_VERSION of the header that the library was built with. */
B2NN_API int32_t b2nn_abi_version(void);
/* 64 hex digits that name this build of this network; manifest.json has the same. */
B2NN_API const char *b2nn_model_id(void);
/* The target that the library was compiled for, and the instruction set of the kernels that run: "arm" and "neon", say. */
B2NN_API const char *b2nn_target(void);
B2NN_API const char *b2nn_isa(void);
/* The first feature, by its name in Linux, that the library needs and this CPU lacks; NULL where the CPU has all. */
B2NN_API const char *b2nn_cpu_missing(void);
/* The numbers of inputs, outputs and kernel calls ("steps"). */
B2NN_API int32_t b2nn_input_count(void);
B2NN_API int32_t b2nn_output_count(void);
B2NN_API int32_t b2nn_step_count(void);
/* The input, output, kernel name or layer name at an index; NULL where the index is out of range. */
B2NN_API const b2nn_tensor *b2nn_input(int32_t index);
B2NN_API const b2nn_tensor *b2nn_output(int32_t index);
B2NN_API const char *b2nn_step_name(int32_t index);
B2NN_API const char *b2nn_step_layer(int32_t index);
/* The meaning of a status, in English. */
B2NN_API const char *b2nn_status_text(int32_t status);

/* ---- an instance ---- */

/* Make an instance that computes with `threads` threads, the calling thread included: 1 starts no other thread, 0 means
 * one for each CPU that the process may use, at most 256. On failure *out is NULL. Runs allocate nothing. */
B2NN_API int32_t b2nn_model_create(b2nn_model **out, int32_t threads);
/* Stop the workers and free the memory. NULL is allowed; no run may be in progress. */
B2NN_API void b2nn_model_destroy(b2nn_model *model);
/* The number of threads of this instance. */
B2NN_API int32_t b2nn_model_threads(const b2nn_model *model);
/* Compute the outputs. The tables hold one pointer for each input and output, in the order of b2nn_input and
 * b2nn_output, each to size_bytes bytes. Buffers need no alignment: buffers on 64 bytes are used in place, others are
 * copied. Outputs must not overlap inputs or one another. An instance takes one run at a time, from any thread;
 * instances are independent. */
B2NN_API int32_t b2nn_model_run(b2nn_model *model, const void *const *inputs, void *const *outputs);
/* Compute as b2nn_model_run does, and write the wall time of the whole run in milliseconds to *run_ms. */
B2NN_API int32_t b2nn_model_run_timed(b2nn_model *model, const void *const *inputs, void *const *outputs,
                                      double *run_ms);
/* Compute as b2nn_model_run does, and write the wall time of every step in milliseconds to
 * step_ms[0 .. b2nn_step_count()-1]. */
B2NN_API int32_t b2nn_model_run_profiled(b2nn_model *model, const void *const *inputs, void *const *outputs,
                                         double *step_ms);
/* The reason why the last run of this instance failed; "" if it did not fail. The text is valid until the next run. */
B2NN_API const char *b2nn_model_error(const b2nn_model *model);

#ifdef __cplusplus
}
#endif
#endif
