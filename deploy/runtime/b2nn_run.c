/* b2nn_run.c: run a compiled network from the command line, on the board itself.
 *
 * Results are one JSON object on stdout: {"threads": T, "run_ms": [...], "step_ms": [[one row for each run], ...]}.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2nn.h"

static const char usage[] =
    "usage: b2nn_run LIBRARY [--threads N] [--input FILE]... [--output FILE]... [--warmup N] [--runs N] [--profile N]\n"
    "  --input FILE   raw values of one tensor, row-major; once for each input of the network, in its order;\n"
    "                 without any, inputs are filled with a fixed pattern\n"
    "  --output FILE  where the raw values of an output go; once for each output, or not at all\n"
    "  --threads N    threads, 0 for one per CPU (default 1)\n"
    "  --warmup N     runs before the timed ones (default 0)\n"
    "  --runs N       timed runs (default 1)\n"
    "  --profile N    runs after those that time every kernel (default 0)\n";

enum { MAX_TENSORS = 64 };

static void fail(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

/* The functions of the library, of the types that the header declares. */
#define FUNCTIONS(USE)                                                                                            \
    USE(b2nn_abi_version) USE(b2nn_input_count) USE(b2nn_output_count) USE(b2nn_step_count) USE(b2nn_input)       \
    USE(b2nn_output) USE(b2nn_status_text) USE(b2nn_model_create) USE(b2nn_model_destroy) USE(b2nn_model_threads) \
    USE(b2nn_model_run_timed) USE(b2nn_model_run_profiled) USE(b2nn_model_error)
#define DECLARE(name) __typeof__(&name) name##_;
#define LOAD(name) net.name##_ = __extension__(__typeof__(&name)) symbol(library, #name);

static struct {
    FUNCTIONS(DECLARE)
} net;

static void *symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    if (!address) fail(1, "this library has no function %s: it is not one of a compiled network", name);
    return address;
}

static void load(const char *path) {
    char here[4096]; /* dlopen takes a name without a slash for one of the system's libraries */
    if (snprintf(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path) >= (int)sizeof here)
        fail(1, "the path of the library is too long");
    void *library = dlopen(here, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(1, "%s", dlerror());
    FUNCTIONS(LOAD)
    if (net.b2nn_abi_version_() != B2NN_ABI_VERSION)
        fail(1, "the library has ABI version %d, this runner %d", (int)net.b2nn_abi_version_(), B2NN_ABI_VERSION);
    if (net.b2nn_input_count_() > MAX_TENSORS || net.b2nn_output_count_() > MAX_TENSORS)
        fail(1, "the network has more than %d inputs or outputs", MAX_TENSORS);
}

static struct {
    const char *library, *inputs[MAX_TENSORS], *outputs[MAX_TENSORS];
    int input_count, output_count;
    long threads, warmup, runs, profile;
} options = {.threads = 1, .runs = 1};

static long number(const char *option, const char *text) {
    char *end;
    long value = text ? strtol(text, &end, 10) : -1;
    if (!text || end == text || *end || value < 0 || value > 1000000)
        fail(2, "%s takes a number from 0 to 1000000, not '%s'", option, text ? text : "");
    return value;
}

static void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(option, "--help")) {
            fputs(usage, stdout);
            exit(0);
        }
        if (option[0] != '-' && !options.library) {
            options.library = option;
            continue;
        }
        if (!strcmp(option, "--threads"))
            options.threads = number(option, value);
        else if (!strcmp(option, "--warmup"))
            options.warmup = number(option, value);
        else if (!strcmp(option, "--runs"))
            options.runs = number(option, value);
        else if (!strcmp(option, "--profile"))
            options.profile = number(option, value);
        else if (!strcmp(option, "--input") && value && options.input_count < MAX_TENSORS)
            options.inputs[options.input_count++] = value;
        else if (!strcmp(option, "--output") && value && options.output_count < MAX_TENSORS)
            options.outputs[options.output_count++] = value;
        else
            fail(2, "unexpected argument '%s'\n%s", option, usage);
        i++;
    }
    if (!options.library) fail(2, "which library?\n%s", usage);
}

static void *buffer(uint64_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes ? (size_t)bytes : 64)) fail(1, "not enough memory");
    return memory;
}

static void read_input(const b2nn_tensor *tensor, const char *path, void *into) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(1, "cannot open the input file %s", path);
    if (fread(into, 1, (size_t)tensor->size_bytes, file) != tensor->size_bytes || fgetc(file) != EOF)
        fail(1, "%s: input %s takes %llu bytes of %s, the file has another size", path, tensor->name,
             (unsigned long long)tensor->size_bytes, tensor->dtype);
    fclose(file);
}

static void fill(const b2nn_tensor *tensor, void *into) {
    uint32_t state = 1;
    for (uint64_t i = 0; i < tensor->size_bytes / 4 && !strcmp(tensor->dtype, "float32"); i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)into)[i] = (float)(int32_t)state / 2147483648.0f;
    }
    if (strcmp(tensor->dtype, "float32")) memset(into, 0, (size_t)tensor->size_bytes);
}

static void write_output(const b2nn_tensor *tensor, const char *path, const void *from) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(from, 1, (size_t)tensor->size_bytes, file) != tensor->size_bytes || fclose(file))
        fail(1, "cannot write output %s to %s", tensor->name, path);
}

static void print_row(const double *values, long count) {
    putchar('[');
    for (long i = 0; i < count; i++) printf("%s%.6f", i ? ", " : "", values[i]);
    putchar(']');
}

static void run(b2nn_model *model, const void *const *inputs, void *const *outputs) {
    double *run_ms = buffer((uint64_t)(options.warmup + options.runs + 1) * sizeof(double));
    double *step_ms = buffer((uint64_t)net.b2nn_step_count_() * sizeof(double));
    for (long i = 0; i < options.warmup + options.runs; i++)
        if (net.b2nn_model_run_timed_(model, inputs, outputs, &run_ms[i]) != B2NN_OK)
            fail(1, "%s", net.b2nn_model_error_(model));
    printf("{\"threads\": %d, \"run_ms\": ", (int)net.b2nn_model_threads_(model));
    print_row(run_ms + options.warmup, options.runs);
    fputs(", \"step_ms\": [", stdout);
    for (long i = 0; i < options.profile; i++) {
        if (net.b2nn_model_run_profiled_(model, inputs, outputs, step_ms) != B2NN_OK)
            fail(1, "%s", net.b2nn_model_error_(model));
        if (i) fputs(", ", stdout);
        print_row(step_ms, net.b2nn_step_count_());
    }
    fputs("]}\n", stdout);
    free(run_ms);
    free(step_ms);
}

int main(int argc, char **argv) {
    const void *inputs[MAX_TENSORS];
    void *outputs[MAX_TENSORS];
    parse(argc, argv);
    load(options.library);
    int input_count = net.b2nn_input_count_(), output_count = net.b2nn_output_count_();
    if (options.input_count && options.input_count != input_count)
        fail(2, "the network has %d inputs, not %d", input_count, options.input_count);
    if (options.output_count && options.output_count != output_count)
        fail(2, "the network has %d outputs, not %d", output_count, options.output_count);
    for (int i = 0; i < input_count; i++) {
        void *values = buffer(net.b2nn_input_(i)->size_bytes);
        if (options.input_count)
            read_input(net.b2nn_input_(i), options.inputs[i], values);
        else
            fill(net.b2nn_input_(i), values);
        inputs[i] = values;
    }
    for (int i = 0; i < output_count; i++) outputs[i] = buffer(net.b2nn_output_(i)->size_bytes);

    b2nn_model *model;
    int32_t status = net.b2nn_model_create_(&model, (int32_t)options.threads);
    if (status != B2NN_OK) fail(1, "%s", net.b2nn_status_text_(status));
    run(model, inputs, outputs);
    for (int i = 0; i < options.output_count; i++) write_output(net.b2nn_output_(i), options.outputs[i], outputs[i]);
    net.b2nn_model_destroy_(model);
    if (fflush(stdout) || ferror(stdout)) fail(1, "cannot write to stdout");
    return 0;
}
