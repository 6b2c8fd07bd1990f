/* runner.h: the functions and types that the parts of b2nn-run share. */
#ifndef B2NN_RUNNER_H
#define B2NN_RUNNER_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "b2nn.h"

enum { FAILED = 1, USAGE = 2 }; /* the exit statuses of all b2nn commands */
enum { MAX_TENSORS = 64 };
#define LEVEL_VARIABLE "B2NN_LEVEL" /* the environment variable by which a library is asked for a level */

/* support.c. Print "error: ..." on stderr and exit with `status`. */
__attribute__((format(printf, 2, 3), noreturn)) void fail(int status, const char *format, ...);
/* Zeroed memory, aligned to 64 bytes; exits where there is not enough. */
void *allocate(uint64_t bytes);

/* The time of a clock in milliseconds. */
double now_ms(clockid_t clock);

/* machine.c: a kind of CPU by ELF's e_machine and EI_CLASS: x86 and ARM have one kind of 32 bits and one of 64 bits each;
 * `arch` is what uname says. */
typedef struct machine {
    uint16_t code;
    uint8_t elf_class;
    const char *arch, *name;
} machine;
/* The kind with this e_machine, NULL where it is another one; and the kind that this program was built for. */
const machine *machine_of(uint16_t code);
const machine *own_machine(void);

/* load.c: the functions of a library, with the types that b2nn.h declares; each name has an underscore at its end. */
#define B2NN_FUNCTIONS(USE)                                                                                     \
    USE(b2nn_abi_version) USE(b2nn_model_id) USE(b2nn_target) USE(b2nn_isa) USE(b2nn_cpu_missing)               \
    USE(b2nn_input_count) USE(b2nn_output_count) USE(b2nn_step_count) USE(b2nn_input) USE(b2nn_output)          \
    USE(b2nn_step_layer) USE(b2nn_status_text) USE(b2nn_model_create) USE(b2nn_model_destroy)                   \
    USE(b2nn_model_threads) USE(b2nn_model_run_timed) USE(b2nn_model_run_profiled) USE(b2nn_model_error)
#define B2NN_MEMBER(name) __typeof__(&name) name##_;
typedef struct net {
    B2NN_FUNCTIONS(B2NN_MEMBER)
} net;
/* Open the library at `path`, in the folder `path`, or beside this program where `path` is NULL; exits where it does not
 * fit this machine or this program. A library that is opened twice is in memory once. In a static program, which cannot
 * load any library, linked.c takes the place of load.c: the network is part of the program, and `path` is NULL or the
 * program itself. */
net load_library(const char *path);

/* tensor_file.c: one tensor as .npy or as raw values. */
void read_tensor(const b2nn_tensor *tensor, const char *path, void *into);
void write_tensor(const b2nn_tensor *tensor, const char *path, const void *from);
/* The shape as text, like "1x3x32x32"; `text` has room for `size` bytes. */
const char *shape_text(const b2nn_tensor *tensor, char *text, size_t size);

/* instance.c: an instance of a network, with a buffer for each input and output. */
typedef struct instance {
    const net *net;
    b2nn_model *model;
    const void *inputs[MAX_TENSORS];
    void *outputs[MAX_TENSORS];
} instance;
/* Make an instance with inputs from `files`, or with a fixed pattern where `files` is NULL; exits on failure. */
instance make_instance(const net *of, long threads, const char *const *files);
void free_instance(instance *made);
/* Compute the outputs, with the time of the whole in milliseconds or of each step; exits where a kernel fails. */
double run_timed(const instance *made);
void run_profiled(const instance *made, double *step_ms);
/* Run until the time falls no more, or until another run of `expected_ms`, later of the last time, would end after
 * `limit_ms`. While another network ran, its weights took the place of this one's in the caches: where they are tens of
 * megabytes, it takes some ten runs until a run is as fast as it was. Returns the least time, 0 without a run. */
double warm_caches(const instance *made, double expected_ms, double limit_ms);

/* classes.c: the best classes of a network. Print the `top` best of the first output of scores, with names if there is a
 * file `labels`. */
void print_classes(const instance *made, const char *labels, long top);
/* The index of the first output of scores, with its rows and classes; -1 if there is none. */
int32_t find_scores(const net *of, int64_t *rows, int64_t *classes);
/* The class that comes after class `last`; the best one for -1. */
int64_t next_class(const float *scores, int64_t classes, int64_t last);
/* The lines of a file, one for each class; exits where they are more or fewer. */
const char *const *read_labels(const char *path, int64_t classes);
void free_labels(const char *const *labels);

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
void profile(const instance *made, const profile_options *options);

/* interleave.c: time several networks in short bursts, each between two bursts of a reference; print rows of JSON. */
typedef struct interleave_options {
    const char *reference;
    long rounds, warmup, threads;
    double burst_ms; /* a burst takes at least as long, and makes at least one run, after untimed ones */
    uint64_t seed;   /* of the order of the networks in each round */
    int second;      /* the last library is a second reference */
    double quiet_ms, patience_ms; /* undisturbed time of the last reference, 0 if unknown; how long to wait for it in all */
    int profiled;    /* time each step apart in the bursts of the networks, but not in those of the reference */
} interleave_options;
void interleave(const char *const *libraries, long count, const interleave_options *options);

/* quiet.c: looks for a CPU and a moment at which nothing disturbs the reference. */
typedef struct quiet {
    int cpus[8]; /* that may be used by a program with one thread, a selection where they are many */
    long count, current;
    double best_ms, patience_ms; /* the undisturbed time of a run of the reference, 0 before it is known; what is left */
} quiet;
quiet start_quiet(const interleave_options *options, int threads);
/* Whether a run of the reference that took `ms` was undisturbed. */
int is_quiet(const quiet *known, double ms);
/* Move to a CPU on which the reference is undisturbed, and wait for one while there is patience. */
void find_quiet(quiet *among, const instance *reference);

/* options.c: the command line. */
enum { RUN = 1, PROFILE = 2, INTERLEAVE = 4, DESCRIBE = 8 };
typedef struct command_line {
    int mode, input_count, output_count;
    const char *labels, *inputs[MAX_TENSORS], *outputs[MAX_TENSORS];
    const char *library, *camera, *frames;        /* NULL where it is not given */
    const char *const *libraries, *const *photos; /* with --interleave, and without */
    long library_count, photo_count, threads, top, limit; /* top and limit are 0 where they are not given */
    int json;
    profile_options timing;
    interleave_options bursts;
} command_line;
/* Read the command line, whose table of words is changed; exits for --help, --version and wrong usage. */
command_line parse_command_line(int argc, char **argv);

/* board.c: this machine, as members of a JSON object. */
int is_emulated(void);
void print_device(void);
void print_conditions(void);
/* The CPU time since the start of the system that all programs took, and that a hypervisor gave to other machines; -1
 * where the system does not tell. */
typedef struct cpu_time {
    double busy_ms, stolen_ms;
} cpu_time;
cpu_time system_cpu_time(void);

/* json.c: print a string, a member of an object, or numbers. */
void print_string(const char *text);
void print_member(const char *name, const char *text);
void print_numbers(const double *values, long count);
/* Print a member with a number of six decimals, or null where there is no value. */
void print_number(const char *name, const double *value);

#endif
