/* runner.h: the functions and types that the parts of b2nn-run share. */
#ifndef B2NN_RUNNER_H
#define B2NN_RUNNER_H

#include <stdint.h>
#include <stdio.h>

#include "b2nn.h"

enum { FAILED = 1, USAGE = 2 }; /* the exit statuses of all b2nn commands */
enum { MAX_TENSORS = 64 };

/* support.c. Print "error: ..." on stderr and exit with `status`. */
__attribute__((format(printf, 2, 3), noreturn)) void fail(int status, const char *format, ...);
/* Zeroed memory, aligned to 64 bytes; exits where there is not enough. */
void *allocate(uint64_t bytes);

/* load.c: the functions of the library, with the types that b2nn.h declares; each name has an underscore at its end. */
#define B2NN_FUNCTIONS(USE)                                                                                     \
    USE(b2nn_abi_version) USE(b2nn_model_id) USE(b2nn_target) USE(b2nn_isa) USE(b2nn_cpu_missing)               \
    USE(b2nn_input_count) USE(b2nn_output_count) USE(b2nn_step_count) USE(b2nn_input) USE(b2nn_output)          \
    USE(b2nn_step_layer) USE(b2nn_status_text) USE(b2nn_model_create) USE(b2nn_model_destroy)                   \
    USE(b2nn_model_threads) USE(b2nn_model_run_timed) USE(b2nn_model_run_profiled) USE(b2nn_model_error)
#define B2NN_MEMBER(name) __typeof__(&name) name##_;
struct net {
    B2NN_FUNCTIONS(B2NN_MEMBER)
};
extern struct net net;
/* Open the library at `path`; exits where it does not fit this machine or this program. */
void load_library(const char *path);
/* The machine that this program was built for, as uname names it. */
const char *runner_arch(void);

/* tensor_file.c: one tensor as .npy or as raw values. */
void read_tensor(const b2nn_tensor *tensor, const char *path, void *into);
void write_tensor(const b2nn_tensor *tensor, const char *path, const void *from);
/* The shape as text, like "1x3x32x32"; `text` has room for `size` bytes. */
const char *shape_text(const b2nn_tensor *tensor, char *text, size_t size);

/* classes.c: print the `top` best classes of the first output of scores, with names if there is a file `labels`. */
void print_classes(void *const *outputs, const char *labels, long top);

/* statistics.c: a growing table of samples, and the statistics of one of its columns. */
typedef struct samples {
    double *values; /* [count, width] */
    long count, room, width;
} samples;
typedef struct statistics {
    double least, p10, median, p90;
} statistics;
/* Append a row of zeros and return it. */
double *new_row(samples *all);
/* The statistics of one column; they are all zero without samples. */
statistics summarize(const samples *all, long column);

/* profile.c: time runs of the model and print rows of JSON. */
typedef struct profile_options {
    long runs, profiles; /* whole runs, and runs with every step timed; -1 means as many as `seconds` take */
    long warmup;
    double seconds;
} profile_options;
void profile(b2nn_model *model, const profile_options *options, const void *const *inputs, void *const *outputs);

/* board.c: this machine, as members of a JSON object. */
int is_emulated(void);
void print_device(void);
void print_conditions(void);

/* json.c: print a string, a member of an object, or numbers. */
void print_string(const char *text);
void print_member(const char *name, const char *text);
void print_numbers(const double *values, long count);
/* Print a member with a number of six decimals, or null where there is no value. */
void print_number(const char *name, const double *value);

#endif
