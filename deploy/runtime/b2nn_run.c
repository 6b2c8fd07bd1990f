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

static void *library;

static void *symbol(const char *name) {
    void *address = dlsym(library, name);
    if (!address) fail(1, "this library has no function %s: it is not one of a compiled network", name);
    return address;
}

/* A function pointer from dlsym, of the type that the header declares. */
#define FUNCTION(name) __typeof__(&name) name##_ = __extension__(__typeof__(&name)) symbol(#name)

static long number(const char *option, const char *text) {
    char *end;
    long value = text ? strtol(text, &end, 10) : -1;
    if (!text || end == text || *end || value < 0 || value > 1000000)
        fail(2, "%s takes a number from 0 to 1000000, not '%s'", option, text ? text : "");
    return value;
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

int main(int argc, char **argv) {
    const char *input_files[MAX_TENSORS], *output_files[MAX_TENSORS], *path = NULL;
    long threads = 1, warmup = 0, runs = 1, profile = 0;
    int input_count = 0, output_count = 0;
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(option, "--help")) return fputs(usage, stdout) < 0;
        if (option[0] != '-' && !path) {
            path = option;
            continue;
        }
        if (!strcmp(option, "--threads")) threads = number(option, value);
        else if (!strcmp(option, "--warmup")) warmup = number(option, value);
        else if (!strcmp(option, "--runs")) runs = number(option, value);
        else if (!strcmp(option, "--profile")) profile = number(option, value);
        else if (!strcmp(option, "--input") && value && input_count < MAX_TENSORS) input_files[input_count++] = value;
        else if (!strcmp(option, "--output") && value && output_count < MAX_TENSORS) output_files[output_count++] = value;
        else fail(2, "unexpected argument '%s'\n%s", option, usage);
        i++;
    }
    if (!path) fail(2, "which library?\n%s", usage);

    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail(1, "%s", dlerror());
    FUNCTION(b2nn_abi_version);
    FUNCTION(b2nn_input_count);
    FUNCTION(b2nn_output_count);
    FUNCTION(b2nn_step_count);
    FUNCTION(b2nn_input);
    FUNCTION(b2nn_output);
    FUNCTION(b2nn_status_text);
    FUNCTION(b2nn_model_create);
    FUNCTION(b2nn_model_destroy);
    FUNCTION(b2nn_model_threads);
    FUNCTION(b2nn_model_run_timed);
    FUNCTION(b2nn_model_run_profiled);
    FUNCTION(b2nn_model_error);
    if (b2nn_abi_version_() != B2NN_ABI_VERSION)
        fail(1, "the library has ABI version %d, this runner %d", (int)b2nn_abi_version_(), B2NN_ABI_VERSION);

    int inputs_needed = b2nn_input_count_(), outputs_made = b2nn_output_count_();
    if (inputs_needed > MAX_TENSORS || outputs_made > MAX_TENSORS) fail(1, "more than %d tensors", MAX_TENSORS);
    if (input_count && input_count != inputs_needed)
        fail(2, "the network has %d inputs, not %d", inputs_needed, input_count);
    if (output_count && output_count != outputs_made)
        fail(2, "the network has %d outputs, not %d", outputs_made, output_count);
    void *inputs[MAX_TENSORS], *outputs[MAX_TENSORS];
    for (int i = 0; i < inputs_needed; i++) {
        inputs[i] = buffer(b2nn_input_(i)->size_bytes);
        if (input_count) read_input(b2nn_input_(i), input_files[i], inputs[i]);
        else fill(b2nn_input_(i), inputs[i]);
    }
    for (int i = 0; i < outputs_made; i++) outputs[i] = buffer(b2nn_output_(i)->size_bytes);

    b2nn_model *model;
    int32_t status = b2nn_model_create_(&model, (int32_t)threads);
    if (status != B2NN_OK) fail(1, "%s", b2nn_status_text_(status));
    const void *const *in = (const void *const *)inputs;
    long steps = b2nn_step_count_();
    double *run_ms = buffer((uint64_t)(warmup + runs + 1) * sizeof(double)), *step_ms = buffer((uint64_t)steps * sizeof(double));
    for (long i = 0; i < warmup + runs; i++) {
        if (b2nn_model_run_timed_(model, in, outputs, &run_ms[i]) != B2NN_OK) fail(1, "%s", b2nn_model_error_(model));
    }
    printf("{\"threads\": %d, \"run_ms\": ", (int)b2nn_model_threads_(model));
    print_row(run_ms + warmup, runs);
    fputs(", \"step_ms\": [", stdout);
    for (long i = 0; i < profile; i++) {
        if (b2nn_model_run_profiled_(model, in, outputs, step_ms) != B2NN_OK) fail(1, "%s", b2nn_model_error_(model));
        if (i) fputs(", ", stdout);
        print_row(step_ms, steps);
    }
    fputs("]}\n", stdout);
    for (int i = 0; i < output_count; i++) write_output(b2nn_output_(i), output_files[i], outputs[i]);
    b2nn_model_destroy_(model);
    for (int i = 0; i < inputs_needed; i++) free(inputs[i]);
    for (int i = 0; i < outputs_made; i++) free(outputs[i]);
    free(run_ms);
    free(step_ms);
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
