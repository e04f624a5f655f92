"""What a GPU computes is what a CPU computes; skipped where there is none."""

import pytest
import torch

import metatutor as mt

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU that PyTorch can use"
)


def dense():
    torch.manual_seed(0)
    return mt.MAML(mt.models.mlp(1, 1), mt.mse, 0.01, 3), mt.data.Sinusoid(shots=5)


def convolutional():
    torch.manual_seed(0)
    learner = mt.MAML(mt.models.conv4(5, channels=16), mt.cross_entropy, 0.1, 2)
    return learner, mt.data.Glyphs("train", ways=5, shots=1, queries=3)


def batch_of(source, tasks=4):
    return source.sample(tasks, generator=torch.Generator().manual_seed(1))


def gradient(learner, batch, strategy):
    engine = mt.Engine(learner, strategy)
    loss = engine(batch)
    return loss.item(), torch.cat(
        [p.grad.detach().flatten().cpu() for p in learner.parameters()]
    )


@pytest.mark.parametrize("strategy", ["auto", "vmap", "loop"])
@pytest.mark.parametrize("problem", [dense, convolutional])
def test_the_meta_gradient_is_that_of_the_cpu(problem, strategy, float64):
    learner, source = problem()
    batch = batch_of(source)
    batch = mt.TaskBatch(
        *(t.double() if t.is_floating_point() else t for t in batch.tensors)
    )
    loss, slopes = gradient(learner.double(), batch, "loop")
    found, on_gpu = gradient(learner.to("cuda"), batch, strategy)
    assert found == pytest.approx(loss, rel=1e-9)
    assert torch.norm(on_gpu - slopes) < 1e-9 * torch.norm(slopes)


@pytest.mark.parametrize("problem", [dense, convolutional])
def test_auto_is_vmap(problem):
    learner, _ = problem()
    assert mt.Engine(learner.to("cuda")).strategy == "vmap"


def test_threads_of_the_cpu_are_refused():
    learner, _ = dense()
    with pytest.raises(ValueError, match="threads of the CPU"):
        mt.Engine(learner.to("cuda"), "workers")


def test_training_on_a_gpu_goes_on_from_a_checkpoint(tmp_path):
    def train(iterations, **options):
        learner, source = dense()
        learner.to("cuda")
        mt.meta_train(
            learner, source, iterations=iterations, meta_batch=4, seed=2, **options
        )
        return learner

    whole = train(20)
    file = tmp_path / "run.ckpt"
    train(10, checkpoint=file)
    resumed = train(20, checkpoint=file, resume=True)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert one.is_cuda and torch.equal(one, other)


@pytest.mark.parametrize("problem", [dense, convolutional])
def test_evaluation_on_a_gpu_finds_what_a_cpu_finds(problem):
    learner, source = problem()
    there = mt.meta_evaluate(learner, source, tasks=32, seed=3)
    here = mt.meta_evaluate(learner.to("cuda"), source, tasks=32, seed=3)
    assert here.mean == pytest.approx(there.mean, abs=0.01 * max(1, there.mean))
