/* instance.c: an instance of a network with its buffers, and runs of it. */
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static void fill(const b2nn_tensor *tensor, float *values) {
    uint32_t state = 1;
    if (strcmp(tensor->dtype, "float32")) return; /* inputs of other types stay zero */
    for (uint64_t i = 0; i < tensor->size_bytes / 4; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

instance make_instance(const net *of, long threads, const char *const *files) {
    instance made = {.net = of};
    for (int32_t i = 0; i < of->b2nn_input_count_(); i++) {
        void *values = allocate(of->b2nn_input_(i)->size_bytes);
        files ? read_tensor(of->b2nn_input_(i), files[i], values) : fill(of->b2nn_input_(i), values);
        made.inputs[i] = values;
    }
    for (int32_t i = 0; i < of->b2nn_output_count_(); i++) made.outputs[i] = allocate(of->b2nn_output_(i)->size_bytes);
    int32_t status = of->b2nn_model_create_(&made.model, (int32_t)threads);
    if (status != B2NN_OK)
        fail(FAILED, "cannot make an instance of the network with %ld threads: %s", threads, of->b2nn_status_text_(status));
    return made;
}

void free_instance(instance *made) {
    made->net->b2nn_model_destroy_(made->model);
    for (int32_t i = 0; i < made->net->b2nn_input_count_(); i++) free((void *)(uintptr_t)made->inputs[i]);
    for (int32_t i = 0; i < made->net->b2nn_output_count_(); i++) free(made->outputs[i]);
}

static void check(const instance *made, int32_t status) {
    if (status != B2NN_OK) fail(FAILED, "%s", made->net->b2nn_model_error_(made->model));
}

double run_timed(const instance *made) {
    double ms = 0;
    check(made, made->net->b2nn_model_run_timed_(made->model, made->inputs, made->outputs, &ms));
    return ms;
}

double warm_caches(const instance *made, double expected_ms, double limit_ms) {
    enum { NO_FASTER = 3 };            /* so many runs in a row */
    static const double FASTER = 0.99; /* of the least time before */
    double start_ms = now_ms(CLOCK_MONOTONIC), last_ms = expected_ms, least_ms = 0;
    for (int slower = 0; slower < NO_FASTER && now_ms(CLOCK_MONOTONIC) - start_ms + last_ms < limit_ms;) {
        last_ms = run_timed(made);
        slower = !least_ms || last_ms < FASTER * least_ms ? 0 : slower + 1;
        if (!least_ms || last_ms < least_ms) least_ms = last_ms;
    }
    return least_ms;
}

void run_profiled(const instance *made, double *step_ms) {
    check(made, made->net->b2nn_model_run_profiled_(made->model, made->inputs, made->outputs, step_ms));
}
