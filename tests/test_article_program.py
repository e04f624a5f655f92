"""The source article's own program: how it fails, and what each repair makes of it.

Every test here runs the article's text as it was printed, or with named repairs.
"""

import ast
import contextlib
import hashlib

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision import transforms

from metatutor import DataError, article
from metatutor.article import running

# of section 5.2 as it was published: an editor that trims lines would go unnoticed
PRINTED = (
    "f40d04742881a349dc7d19a8e0e823df569bdf5fda8fd9592c270c8eb850be99",
    "7b792e75476547d9cff864b5a2be3f62693b0777fa3c59dc07a8b7f1bf21a836",
    "413b439571bf065b640d3d5a685e827a73e2dbc4a2347352fafa2d8c7f03d8e7",
    "4e2c1cac9388f2e6be2aff6005adbd2dfa38edd3eaabfce9992ecefb7bca8c3f",
)
RUNS = ("B36", "B37")  # the two without which it stops
QUICK = 128  # images: what fails, fails with few of them

pytest.importorskip("sklearn", reason="its digits stand in for MNIST")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without MNIST, whatever the developer's has."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The program, mended until it ran to its end, on all digits."""
    folder = tmp_path_factory.mktemp("session")
    with contextlib.chdir(folder):
        done = article.run(article.program(*RUNS))
    assert list(folder.iterdir()) == []  # nothing is written where it is started
    return done


def definitions(*repairs):
    """What the first three blocks define; B37, or nothing is evaluated."""
    space = {}
    for text in article.program("B37", *repairs)[:3]:
        exec(text, space)
    return space


def loader(limit=QUICK, train=True, size=64):
    """Batches of digits in a fixed order, as tensors."""
    data = article.Digits("", train=train, transform=transforms.ToTensor())
    part = [data[i] for i in range(min(limit, len(data)))]
    return DataLoader(part, batch_size=size)


def learner(space, seed=0):
    torch.manual_seed(seed)
    model = space["MetaLearner"]()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


def trained(space, **options):
    model, optimizer = learner(space)
    space["meta_learning_loop"](model, loader(), optimizer, num_epochs=2, **options)
    return model


def same_weights(a, b):
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(v, w) for v, w in pairs)


# --- the text ----------------------------------------------------------------------


def test_the_blocks_are_as_printed():
    found = [hashlib.sha256(b.encode()).hexdigest() for b in article.BLOCKS]
    assert tuple(found) == PRINTED


@pytest.mark.parametrize("name", article.REPAIRS)
def test_a_repair_finds_once_what_it_replaces(name):
    for block, before, _ in article.REPAIRS[name]:
        assert article.BLOCKS[block - 1].count(before) == 1
    assert article.program(name) != list(article.BLOCKS)


def test_without_repairs_the_program_is_as_printed():
    assert article.program() == list(article.BLOCKS)


@pytest.mark.parametrize("names", [("B99",), ("B36", "B36"), ("B38", "B38"), ("",)])
def test_a_repair_that_cannot_be_made_is_refused(names):
    with pytest.raises(ValueError):
        article.program(*names)


@pytest.mark.parametrize("before", ["c", "a"])
def test_mending_what_is_not_there_once_is_refused(before):
    with pytest.raises(ValueError, match="must be there once"):
        article.mend("a b a", before, "x")


def test_all_repairs_go_together_and_are_python():
    for text in article.program(*article.REPAIRS):
        compile(text, "block", "exec")


# --- failures, in the order in which a reader meets them ---------------------------


def test_b36_as_printed_it_stops_at_transforms():
    done = article.run(article.program(), limit=QUICK)
    assert done.error == "NameError: name 'transforms' is not defined"
    assert (done.where, done.output) == ("block 4, line 5", "")


def test_b37_with_that_it_trains_and_stops_at_torch():
    done = article.run(article.program("B36"), limit=QUICK)
    assert done.error == "NameError: name 'torch' is not defined"
    assert done.path == ["block 4, line 21", "block 2, line 5"]
    assert done.output == "" and done.weights  # ten epochs without a word


def test_with_both_it_ends_with_one_line(ended):
    """B43: no mean loss, no validation, no convergence, although 5.3 says so."""
    assert (ended.error, ended.data) == ("", "digits")
    (line,) = ended.output.splitlines()
    accuracy = int(line.removeprefix("Accuracy: ").removesuffix(" %"))
    assert 60 < accuracy < 95


def test_b35_what_remains_is_plain_sgd(ended):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    start = net[0].weight.detach().clone()
    data = article.Digits("", transform=transforms.ToTensor())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(10):
            for x, y in DataLoader(data, batch_size=64, shuffle=True):
                loss = cross_entropy(net(x.view(-1, 784)), y)
                slopes = torch.autograd.grad(loss, list(net.parameters()))
                with torch.no_grad():
                    for w, slope in zip(net.parameters(), slopes, strict=True):
                        w.add_(slope, alpha=-0.01)
    finally:
        torch.set_num_threads(threads)
    pairs = zip(net.parameters(), ended.weights.values(), strict=True)
    assert all(torch.equal(w, theirs) for w, theirs in pairs)
    assert not torch.equal(start, net[0].weight)


def test_b35_training_and_test_have_the_same_classes():
    parts = (article.Digits("", train=train) for train in (True, False))
    assert [sorted(set(part.labels)) for part in parts] == [list(range(10))] * 2


# --- faults without an error -------------------------------------------------------


def test_b38_in_a_fresh_module_the_trainer_finds_no_optimizer():
    space = definitions()
    trainer = space["TaskTrainer"](*learner(space))
    with pytest.raises(NameError, match="'optimizer' is not defined"):
        trainer.train(loader())


def test_b38_in_the_article_session_the_trainer_trains_nothing():
    own = (
        "mine = MetaLearner()\n"
        "before = [w.clone() for w in mine.parameters()]\n"
        "trainer = TaskTrainer(mine, optim.SGD(mine.parameters(), lr=0.01))\n"
        "for epoch in range(2):\n"
        "    trainer.train(train_loader)\n"
        "    print(sum(w.grad.norm().item() for w in mine.parameters()))\n"
        "print(sum((v - w).abs().sum().item()"
        " for v, w in zip(before, mine.parameters())))\n"
    )
    printed = article.run([*article.program(*RUNS), own], limit=QUICK)
    assert printed.error == ""
    first, second, change = map(float, printed.output.splitlines()[1:])
    assert change == 0.0 and second > 1.5 * first > 0  # they pile up
    mended = article.run([*article.program(*RUNS, "B38"), own], limit=QUICK)
    first, second, change = map(float, mended.output.splitlines()[1:])
    assert mended.error == "" and change > 0 and second < 1.5 * first


def test_b38_mended_the_trainer_is_one_epoch_of_the_loop():
    space = definitions("B38")
    looped, tasked = (learner(space) for _ in range(2))
    space["meta_learning_loop"](looped[0], loader(), looped[1], num_epochs=1)
    space["TaskTrainer"](*tasked).train(loader())
    assert same_weights(looped[0], tasked[0])


def test_b39_the_batch_size_of_the_loop_changes_nothing():
    space = definitions()
    assert same_weights(trained(space), trained(space, batch_size=1))
    mended = definitions("B39")
    with pytest.raises(TypeError, match="batch_size"):
        trained(mended, batch_size=1)
    assert same_weights(trained(space), trained(mended))


def test_b40_there_is_no_task_test_and_the_method_does_it(capsys):
    done = article.run([*article.program()[:3], "task_test"], limit=QUICK)
    assert done.error == "NameError: name 'task_test' is not defined"
    assert (done.output, done.weights) == ("", {})  # three blocks, and not a word
    space = definitions()
    assert isinstance(space["TaskTrainer"], type)
    names = [n.id for b in article.BLOCKS for n in ast.walk(ast.parse(b))
             if isinstance(n, ast.Name)]  # fmt: skip
    assert "TaskTrainer" not in names  # the class is defined, and never used
    model, optimizer = learner(space)
    space["meta_learning_eval"](model, loader())
    space["TaskTrainer"](model, optimizer).test(loader())
    first, second = capsys.readouterr().out.splitlines()
    assert first == second and first.startswith("Accuracy: ")


def test_b41_the_network_has_no_convolution_until_it_is_given_one():
    def kinds(space):
        return {type(layer) for layer in space["MetaLearner"]().modules()}

    assert nn.Conv2d not in kinds(definitions())
    mended = definitions("B41")
    assert nn.Conv2d in kinds(mended)
    model = trained(mended)
    assert not same_weights(model, learner(mended)[0])


def test_b42_the_no_ops_are_none_and_the_percentage_is_cut(capsys):
    printed, mended = definitions(), definitions("B42")
    a, b = trained(printed), trained(mended)
    assert same_weights(a, b)
    test = loader(train=False, limit=100)
    right = sum((a(x.view(-1, 784)).argmax(1) == y).sum().item() for x, y in test)
    printed["meta_learning_eval"](a, loader(train=False, limit=99))
    mended["meta_learning_eval"](b, test)
    cut, whole = capsys.readouterr().out.splitlines()
    assert whole == f"Accuracy: {right:.1f} %"
    assert "." not in cut


def test_b42_seven_of_nine_are_printed_as_77_per_cent(capsys):
    class Sure(nn.Module):
        def forward(self, x):
            return nn.functional.one_hot(torch.zeros(len(x)).long(), 10).float()

    batch = torch.zeros(9, 784), torch.tensor([0] * 7 + [1] * 2)
    for repairs, line in (((), "77 %"), (("B42",), "77.8 %")):
        assert definitions(*repairs)["meta_learning_eval"](Sure(), [batch]) is None
        assert capsys.readouterr().out == f"Accuracy: {line}\n"


def test_b42_the_article_sets_no_seed_and_run_does():
    assert "seed" not in "".join(article.BLOCKS)
    asks = ["import torch\nprint(torch.initial_seed())"]
    assert article.run(asks, seed=3, limit=1).output == "3\n"
    fresh = [article.run(asks, seed=None, limit=1).output for _ in range(2)]
    assert fresh[0] != fresh[1]  # PyTorch's own, another in each process


def test_b44_tensorflow_is_nowhere():
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse("\n".join(article.BLOCKS)))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom)
                     else [alias.name for alias in node.names])
    }  # fmt: skip
    assert imported == {"torch", "torchvision"}


# --- how it is run -----------------------------------------------------------------


def test_a_session_says_what_was_printed_and_where_it_stopped():
    done = article.run(["print('one')\nx = 1", "print('two')\n\nx.y = 2"], limit=1)
    assert done.output == "one\ntwo\n"
    assert done.where == "block 2, line 3"
    assert str(done).endswith("block 2, line 3: " + done.error)
    assert done.error.startswith("AttributeError")


def test_a_syntax_error_has_a_place():
    done = article.run(["a b"], limit=1)
    assert done.error.startswith("SyntaxError") and done.where == "block 1, line 1"


def test_a_program_that_goes_on_is_stopped():
    with pytest.raises(TimeoutError, match=r"after 0\.1 s"):
        article.run(["while True: pass"], limit=1, timeout=0.1)


def test_a_process_that_dies_is_no_result():
    with pytest.raises(RuntimeError, match="ended with 7"):
        article.run(["import os\nos._exit(7)"], limit=1)


def test_real_mnist_is_taken_where_it_lies():
    """Four files in data/MNIST/raw: here of 70 grey images, in MNIST's format."""
    assert article.mnist() is article.Digits
    running.RAW.mkdir(parents=True)
    for name in running.NAMES:
        images = "images" in name
        shape = (70, 28, 28) if images else (70,)
        head = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4) for n in shape)
        body = bytes([7] * (70 * 784)) if images else bytes(i % 10 for i in range(70))
        (running.RAW / name).write_bytes(head + body)
    assert article.mnist().__name__ == "MNIST"
    assert article.mnist(limit=3) is article.Digits
    done = article.run(article.program(*RUNS))
    assert (done.data, done.error) == ("MNIST", "")
    assert done.output == "Accuracy: 10 %\n"


def test_without_any_digits_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(running, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        article.run(article.program())


def test_digits_are_grey_images_in_two_parts():
    images, labels = article.digits()
    assert images.shape == (1797, 28, 28) and labels.shape == (1797,)
    assert (images.min(), images.max()) == (0, 255)
    train, test = (article.Digits("", train=part) for part in (True, False))
    assert (len(train), len(test)) == (1437, 360)
    image, label = test[3]
    assert image.size == (28, 28) and label == labels[1440]
    tensor, _ = article.Digits("", transform=transforms.ToTensor())[0]
    assert tensor.shape == (1, 28, 28) and 0 <= tensor.min() < tensor.max() <= 1
