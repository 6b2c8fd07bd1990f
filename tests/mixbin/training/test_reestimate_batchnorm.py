import torch
from torch import nn

from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9), nn.BatchNorm2d(4, momentum=0.3))


def test_statistics_become_the_average_over_the_batches():
    net = network()
    batches = [(torch.randn(8, 3, 6, 6) * 3 + 1, None), (torch.randn(4, 3, 6, 6), None)]
    with torch.no_grad():
        outputs = [net[0](images) for images, _ in batches]
    expected_mean = sum(out.mean(dim=(0, 2, 3)) for out in outputs) / 2
    expected_variance = sum(out.transpose(0, 1).flatten(1).var(dim=1) for out in outputs) / 2
    assert reestimate(net, batches) is net
    assert torch.allclose(net[1].running_mean, expected_mean, atol=1e-6)
    assert torch.allclose(net[1].running_var, expected_variance, rtol=1e-5)
    # Dropout is off: the second batch norm sees what the first one normalized by each batch's own statistics.
    assert torch.allclose(net[3].running_mean, torch.zeros(4), atol=1e-5)


def test_modes_momenta_and_weights_stay():
    net = network().train()
    net[2].eval()
    weights = net[0].weight.clone()
    reestimate(net, [(torch.randn(8, 3, 6, 6),)])
    assert [module.training for module in net] == [True, True, False, True]
    assert (net[1].momentum, net[3].momentum) == (0.1, 0.3)
    assert torch.equal(net[0].weight, weights) and net[0].weight.grad is None


def test_a_network_without_batch_norm_is_left_alone():
    def never():
        raise AssertionError("nothing to estimate, so no batch is needed")
        yield

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    assert reestimate(net, never()) is net


def test_half_and_double_precision_come_back():
    batches = [(torch.randn(8, 3, 6, 6),)]
    expected = reestimate(network(), batches)
    for dtype, tolerance in ((torch.float16, 2e-3), (torch.float64, 1e-6)):
        net = reestimate(network().to(dtype), batches)
        assert {each.dtype for each in net.parameters()} == {dtype} == {net[1].running_mean.dtype}
        torch.testing.assert_close(net[1].running_var.float(), expected[1].running_var, rtol=tolerance, atol=tolerance)
