/* Instances of one network in several threads at once, made and destroyed over and over; for the sanitizers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2nn.h"

#ifndef ROUNDS
#define ROUNDS 5
#endif
enum { N = 1000, RUNS = 20 };

static float x[N + 1];
static b2nn_model *shared;

static void check(int good, const char *what) {
    if (good) return;
    fprintf(stderr, "stress: %s\n", what);
    exit(1);
}

static int32_t run(b2nn_model *model, const float *input, float *out) {
    int32_t tasks;
    const void *inputs[] = {input};
    void *outputs[] = {out, &tasks};
    return b2nn_model_run(model, inputs, outputs);
}

static void *own_instance(void *argument) {
    int threads = *(int *)argument;
    float *first = malloc(sizeof x), *again = malloc(sizeof x + 4);
    check(first && again, "no memory");
    for (int round = 0; round < ROUNDS; round++) {
        b2nn_model *model;
        check(b2nn_model_create(&model, threads) == B2NN_OK, "create");
        check(run(model, x, first) == B2NN_OK, "first run");
        for (int i = 0; i < RUNS; i++) {
            check(run(model, x, again + 1) == B2NN_OK, "run");
            check(!memcmp(first, again + 1, N * sizeof(float)), "a run differs from the first");
        }
        b2nn_model_destroy(model);
    }
    free(first);
    free(again);
    return NULL;
}

static void *shared_instance(void *argument) {
    float out[N];
    int32_t status;
    (void)argument;
    for (int i = 0; i < ROUNDS * RUNS; i++) {
        while ((status = run(shared, x + 1, out)) == B2NN_ERROR_BUSY) sched_yield();
        check(status == B2NN_OK, "run of the shared instance");
    }
    return NULL;
}

int main(void) {
    int counts[] = {1, 2, 3};
    pthread_t threads[6];
    for (int i = 0; i <= N; i++) x[i] = (float)i / 7 - 50;
    check(b2nn_model_create(&shared, 2) == B2NN_OK, "create");
    for (int i = 0; i < 3; i++) {
        check(!pthread_create(&threads[i], NULL, own_instance, &counts[i]), "thread");
        check(!pthread_create(&threads[3 + i], NULL, shared_instance, NULL), "thread");
    }
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    b2nn_model_destroy(shared);
    puts("done");
    return 0;
}
