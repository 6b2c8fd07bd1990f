/* main.c: b2nn-run, which runs and times a compiled network on the board itself. */
#include "build_info.h"
#include "photo.h"

static void print_tensors(const char *name, const b2nn_tensor *(*get)(int32_t), int32_t count) {
    printf(", \"%s\": [", name);
    for (int32_t i = 0; i < count; i++) {
        printf("%s{", i ? ", " : "");
        print_member("name", get(i)->name);
        fputs(", ", stdout);
        print_member("dtype", get(i)->dtype);
        fputs(", \"shape\": [", stdout);
        for (int32_t axis = 0; axis < get(i)->rank; axis++) printf("%s%lld", axis ? ", " : "", (long long)get(i)->shape[axis]);
        fputs("]}", stdout);
    }
    putchar(']');
}

static void describe(const net *of) {
    printf("{\"kind\": \"b2nn-describe\", \"format_version\": 1, \"runner\": {\"abi_version\": %d, ", B2NN_ABI_VERSION);
    print_member("version", B2NN_VERSION);
    fputs(", ", stdout);
    print_member("arch", own_machine()->arch);
    fputs(", ", stdout);
    print_member("compiler", B2NN_COMPILER);
    printf("}, \"library\": {\"abi_version\": %d, ", (int)of->b2nn_abi_version_());
    print_member("model_id", of->b2nn_model_id_());
    fputs(", ", stdout);
    print_member("target", of->b2nn_target_());
    fputs(", ", stdout);
    print_member("isa", of->b2nn_isa_());
    printf(", \"steps\": %d", (int)of->b2nn_step_count_());
    print_tensors("inputs", of->b2nn_input_, of->b2nn_input_count_());
    print_tensors("outputs", of->b2nn_output_, of->b2nn_output_count_());
    fputs("}, ", stdout);
    print_device();
    fputs(", ", stdout);
    print_conditions();
    puts("}");
}

/* Whether the classes of what was computed are to be printed: not where the outputs alone are asked for. */
static int wants_classes(const command_line *given) {
    return given->mode != PROFILE && (!given->output_count || given->labels || given->json);
}

/* Do what the command line asks for; returns the exit status. */
static int compute(const net *of, const command_line *given) {
    int input_count = of->b2nn_input_count_(), output_count = of->b2nn_output_count_();
    if (given->input_count && given->input_count != input_count)
        fail(USAGE, "the network has %d inputs, not %d", input_count, given->input_count);
    if (given->output_count && given->output_count != output_count)
        fail(USAGE, "the network has %d outputs, not %d", output_count, given->output_count);
    const int from_photos = given->photo_count || given->camera || given->frames;
    long refused = 0;
    instance made = make_instance(of, given->threads, given->input_count ? given->inputs : NULL);
    if (from_photos && (given->mode == PROFILE || !wants_classes(given))) fill_from_photo(&made, given);
    if (given->mode == PROFILE)
        profile(&made, &given->timing);
    else if (from_photos && wants_classes(given))
        refused = classify_photos(&made, given);
    else
        run_timed(&made);
    for (int i = 0; i < given->output_count; i++) write_tensor(of->b2nn_output_(i), given->outputs[i], made.outputs[i]);
    if (wants_classes(given) && !from_photos) {
        print_classes(&made, given->labels, given->top ? given->top : 5);
        if (!given->input_count) fputs("note: no --input, so the classes are those of a fixed pattern\n", stderr);
    }
    free_instance(&made);
    return refused ? FAILED : 0;
}

int main(int argc, char **argv) {
    const command_line given = parse_command_line(argc, argv);
    int status = 0;
    if (given.mode == INTERLEAVE) {
        interleave(given.libraries, given.library_count, &given.bursts);
    } else {
        const net loaded = load_library(given.library);
        if (given.mode == DESCRIBE)
            describe(&loaded);
        else
            status = compute(&loaded, &given);
    }
    if (fflush(stdout) || ferror(stdout)) fail(FAILED, "cannot write to stdout");
    return status;
}
