/* classes.c: the best classes of a network that classifies, one list for each row of its batch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

/* Scores are float32, and have at most one extent above 1 behind the batch. */
int32_t find_scores(const net *of, int64_t *rows, int64_t *classes) {
    for (int32_t i = 0; i < of->b2nn_output_count_(); i++) {
        const b2nn_tensor *tensor = of->b2nn_output_(i);
        if (strcmp(tensor->dtype, "float32") || tensor->rank < 1 || !tensor->size_bytes) continue;
        int32_t wide = 0;
        *rows = tensor->rank > 1 ? tensor->shape[0] : 1;
        *classes = 1;
        for (int32_t axis = tensor->rank > 1; axis < tensor->rank; axis++) {
            *classes *= tensor->shape[axis];
            wide += tensor->shape[axis] > 1;
        }
        if (wide <= 1) return i;
    }
    return -1;
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(FAILED, "%s: cannot open the file of labels: %s", path, strerror(errno));
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room);
    while (text && (used += fread(text + used, 1, room - used - 1, file)) == room - 1) text = realloc(text, room *= 2);
    if (!text) fail(FAILED, "not enough memory");
    fclose(file);
    text[used] = '\0';
    return text;
}

const char *const *read_labels(const char *path, int64_t classes) {
    int64_t count = 0;
    const char **labels = allocate((uint64_t)classes * sizeof *labels);
    for (char *line = read_file(path); *line;) {
        char *end = line + strcspn(line, "\n"), *next = end + (*end == '\n');
        if (end > line && end[-1] == '\r') end[-1] = '\0';
        *end = '\0';
        if (count < classes) labels[count] = line;
        count++;
        line = next;
    }
    if (count != classes)
        fail(FAILED, "%s: expected a line for each of the %lld classes, but the file has %lld", path, (long long)classes,
             (long long)count);
    return labels;
}

void free_labels(const char *const *labels) {
    free((void *)(uintptr_t)labels[0]); /* all labels are parts of one text, that of the file */
    free((void *)(uintptr_t)labels);
}

/* Whether class a comes before class b. Not-a-number comes last; equal scores come in the order of the classes. */
static int before(const float *scores, int64_t a, int64_t b) {
    if (scores[a] > scores[b]) return 1;
    if (scores[a] < scores[b]) return 0;
    int a_nan = scores[a] != scores[a], b_nan = scores[b] != scores[b];
    return a_nan == b_nan ? a < b : b_nan;
}

int64_t next_class(const float *scores, int64_t classes, int64_t last) {
    int64_t best = -1;
    for (int64_t i = 0; i < classes; i++)
        if ((last < 0 || before(scores, last, i)) && (best < 0 || before(scores, i, best))) best = i;
    return best;
}

static void print_row(const float *scores, int64_t classes, const char *const *labels, long top) {
    int64_t best = -1;
    for (long rank = 1; rank <= top && rank <= classes; rank++) {
        best = next_class(scores, classes, best);
        printf("%4ld. class %-5lld %12.6f%s%s\n", rank, (long long)best, (double)scores[best], labels ? "  " : "",
               labels ? labels[best] : "");
    }
}

void print_classes(const instance *made, const char *path, long top) {
    int64_t rows, classes;
    int32_t index = find_scores(made->net, &rows, &classes);
    if (index < 0) {
        if (path) fail(FAILED, "%s: labels need an output that is one row of float32 scores, and there is none", path);
        puts("no output is one row of float32 scores; --output FILE writes the values");
        return;
    }
    const char *const *labels = path ? read_labels(path, classes) : NULL;
    for (int64_t row = 0; row < rows; row++) {
        if (rows > 1) printf("image %lld\n", (long long)row);
        print_row((const float *)made->outputs[index] + row * classes, classes, labels, top);
    }
    if (labels) free_labels(labels);
}
