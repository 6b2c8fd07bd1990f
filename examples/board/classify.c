/* classify.c: the best class of an image, by the C interface of a compiled network (b2nn.h).
 *
 *     cc classify.c -o classify -L. -l:libb2nn_model.so -Wl,-rpath,'$ORIGIN'
 *     ./classify image.f32 4
 *
 * The file holds the values of the network's input as they lie in memory: 602112 bytes for float32 of 1x3x224x224. The
 * second argument is the number of threads, by default 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2nn.h"

static int fail(const char *what) {
    fprintf(stderr, "error: %s\n", what);
    return 1;
}

/* Fill `values` from a file of exactly so many bytes; 0 where it is another one, which is said. */
static int read_values(const char *path, const b2nn_tensor *input, void *values) {
    size_t bytes = (size_t)input->size_bytes;
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "error: %s: cannot be read: %s; expected a file with the values of the input\n", path, strerror(errno));
        return 0;
    }
    int good = fread(values, 1, bytes, file) == bytes && fgetc(file) == EOF;
    fclose(file);
    if (!good) fprintf(stderr, "error: %s: expected %zu bytes of %s; b2nn-run takes pictures\n", path, bytes, input->dtype);
    return good;
}

int main(int argc, char **argv) {
    if (argc < 2) return fail("usage: classify IMAGE [THREADS]");
    if (b2nn_abi_version() != B2NN_ABI_VERSION) return fail("the header is not that of the library");
    const b2nn_tensor *input = b2nn_input(0), *output = b2nn_output(0);
    if (b2nn_input_count() != 1 || b2nn_output_count() != 1) return fail("this example is for one input and one output");
    if (strcmp(output->dtype, "float32")) return fail("this example is for an output of float32");

    void *image = malloc((size_t)input->size_bytes);
    float *scores = malloc((size_t)output->size_bytes);
    if (!image || !scores) return fail("not enough memory");
    if (!read_values(argv[1], input, image)) return 1;

    /* Make an instance once, and run it for each image. */
    b2nn_model *model;
    int32_t status = b2nn_model_create(&model, argc > 2 ? atoi(argv[2]) : 1);
    if (status != B2NN_OK) return fail(b2nn_status_text(status));
    const void *inputs[] = {image}; /* a pointer for each input */
    void *outputs[] = {scores};     /* a pointer for each output */
    if (b2nn_model_run(model, inputs, outputs) != B2NN_OK) return fail(b2nn_model_error(model));
    b2nn_model_destroy(model);

    size_t best = 0;
    for (size_t i = 1; i < output->size_bytes / sizeof(float); i++)
        if (scores[i] > scores[best]) best = i;
    printf("class %zu: %.6f\n", best, (double)scores[best]);
    free(image);
    free(scores);
    return 0;
}
