// classify.cpp: the best classes of an image, by the C interface of a compiled network (b2nn.h), in C++17.
//
//     classify image.f32 [labels.txt [threads]]
//
// The file holds the values of the network's input as they lie in memory: 602112 bytes for float32 of 1x3x224x224.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "b2nn.h"

// One instance of the network. It frees itself, and takes one run at a time.
class Network {
public:
    explicit Network(int threads) {
        if (b2nn_abi_version() != B2NN_ABI_VERSION) throw std::runtime_error("the header is not that of the library");
        b2nn_model *made = nullptr;
        if (int status = b2nn_model_create(&made, threads)) throw std::runtime_error(b2nn_status_text(status));
        model.reset(made);
    }

    // The scores of an image, whose values fill the input. For networks with one input and one output of float32.
    std::vector<float> run(const std::vector<char> &values) {
        if (b2nn_input_count() != 1 || b2nn_output_count() != 1 || std::string(b2nn_output(0)->dtype) != "float32")
            throw std::runtime_error("this example is for one input and one output of float32");
        if (values.size() != b2nn_input(0)->size_bytes)
            throw std::runtime_error("expected " + std::to_string(b2nn_input(0)->size_bytes) + " bytes of " +
                                     b2nn_input(0)->dtype + ", not " + std::to_string(values.size()));
        std::vector<float> scores(b2nn_output(0)->size_bytes / sizeof(float));
        const void *inputs[] = {values.data()};
        void *outputs[] = {scores.data()};
        if (b2nn_model_run(model.get(), inputs, outputs)) throw std::runtime_error(b2nn_model_error(model.get()));
        return scores;
    }

private:
    struct Destroy {
        void operator()(b2nn_model *old) const { b2nn_model_destroy(old); }
    };
    std::unique_ptr<b2nn_model, Destroy> model;
};

static std::ifstream open_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": cannot open this file");
    return file;
}

static std::vector<std::string> read_lines(const std::string &path) {
    std::vector<std::string> lines;
    std::ifstream file = open_file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

int main(int argc, char **argv) try {
    if (argc < 2) throw std::runtime_error("usage: classify IMAGE [LABELS [THREADS]]");
    std::ifstream file = open_file(argv[1]);
    const std::vector<char> values((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::vector<std::string> labels = argc > 2 ? read_lines(argv[2]) : std::vector<std::string>();

    Network network(argc > 3 ? std::stoi(argv[3]) : 1); // made once, run for each image
    const std::vector<float> scores = network.run(values);

    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    for (size_t rank = 0; rank < std::min<size_t>(5, order.size()); rank++)
        std::cout << (order[rank] < labels.size() ? labels[order[rank]] : "class " + std::to_string(order[rank])) << ": "
                  << scores[order[rank]] << "\n";
    return 0;
} catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
}
