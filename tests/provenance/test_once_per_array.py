import numpy as np

from b2nn_tvm.provenance.once_per_array import OncePerArray


def read_only(values):
    array = np.array(values, np.float32)
    array.flags.writeable = False
    return array


def test_one_array_is_computed_once_however_it_is_passed():
    asked = []
    total = OncePerArray(lambda array: asked.append(array.shape) or float(array.sum()))
    array = read_only([[1, 2], [3, 4]])
    assert [total(array), total(array[:]), total(array.T), total(array[:1]), total(array.T)] == [10, 10, 10, 3, 10]
    assert asked == [(2, 2), (2, 2), (1, 2)]  # whole, transposed, the first row


def test_the_type_is_part_of_an_array():
    first = OncePerArray(lambda array: array.flat[0])
    array = read_only([1, 2])
    assert (first(array), first(array.view(np.int32))) == (1, 0x3F800000)


def test_an_array_that_can_be_written_is_computed_each_time():
    total = OncePerArray(lambda array: float(array.sum()))
    array = np.ones(3, np.float32)
    assert total(array) == 3
    array[0] = 5
    assert total(array) == 7


def test_memory_of_an_array_that_is_gone_does_not_stand_for_another():
    first = OncePerArray(lambda array: float(array[0]))
    assert [first(read_only(np.full(1000, value))) for value in range(20)] == list(range(20))


def test_arrays_that_are_not_needed_are_forgotten_with_their_parts():
    asked = []
    total = OncePerArray(lambda array: asked.append(array.shape) or float(array.sum()))
    kept, gone = read_only(np.ones((4, 3))), read_only(np.zeros((4, 3)))
    every = (kept, kept.T, kept[1:], gone, gone[2:])
    for array in every:
        total(array)
    total.keep_only([kept])
    del asked[:]
    assert [total(array) for array in every] == [12, 12, 9, 0, 0]
    assert asked == [(4, 3), (2, 3)]
    total.keep_only([])
    total(kept)
    assert len(asked) == 3


def test_a_copy_in_another_order_has_the_result_of_the_array():
    asked = []
    total = OncePerArray(lambda array: asked.append(array.shape) or float(array.sum()))
    array, copy = read_only([[1, 2, 3], [4, 5, 6]]), read_only([[1, 4], [2, 5], [3, 6]])
    total.share(array, copy.T)
    assert (total(copy.T), total(array), total(copy)) == (21, 21, 21)
    assert asked == [(2, 3), (3, 2)]
