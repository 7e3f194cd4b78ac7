"""The Tree-LSTM of bench/workloads/treelstm.cpp in DyNet with autobatching, for comparison: sentences a second.

    python3.8 -m venv build/dynet && build/dynet/bin/pip install numpy cython dynet
    build/dynet/bin/python bench/peers/treelstm_dynet.py DATA [--bulk N] [--seconds S] [--epochs N]

With epochs, so many passes over the training trees, and the share of DATA/trees/dev.txt whose root is told right. DyNet's wheels end at
Python 3.8 and are built for any x86-64. DATA/trees/train.txt is the Stanford Sentiment Treebank.
"""

import argparse
import random
import re
import statistics
import time

import _dynet as dy

WIDTH, LABELS = 128, 5


def read_trees(path, numbers, grows):
    """Nodes (label, word or None, left, right) of each tree, children first. Word 0 is any that is not known."""
    trees = []
    for line in open(path):
        tokens = re.findall(r"[()]|[^() \n]+", line)  # words may hold other kinds of blanks
        nodes, at = [], 0

        def node():
            nonlocal at
            label = int(tokens[at + 1])
            at += 2
            if tokens[at] == "(":
                left = node()
                right = node()
                nodes.append((label, None, left, right))
            else:
                if grows:
                    numbers.setdefault(tokens[at], len(numbers) + 1)
                nodes.append((label, numbers.get(tokens[at], 0), -1, -1))
                at += 1
            at += 1
            return len(nodes) - 1

        node()
        trees.append(nodes)
    return trees


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data")
    arguments.add_argument("--bulk", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--epochs", type=int, default=0)
    settings = arguments.parse_args()
    options = dy.DynetParams()
    options.set_autobatch(True)
    options.set_mem(2048)
    options.init()
    numbers = {}
    trees = read_trees(f"{settings.data}/trees/train.txt", numbers, True)
    model = dy.ParameterCollection()
    trainer = dy.AdamTrainer(model)
    trainer.set_sparse_updates(True)
    table = model.add_lookup_parameters((len(numbers) + 1, WIDTH))
    leaf_w, leaf_b = model.add_parameters((3 * WIDTH, WIDTH)), model.add_parameters(3 * WIDTH)
    gates_w, gates_b = model.add_parameters((3 * WIDTH, 2 * WIDTH)), model.add_parameters(3 * WIDTH)
    forget_left, forget_right = model.add_parameters((WIDTH, WIDTH)), model.add_parameters((WIDTH, WIDTH))
    forget_b = model.add_parameters(WIDTH)
    label_w, label_b = model.add_parameters((LABELS, WIDTH)), model.add_parameters(LABELS)

    def of_gates(gates, kept=None):
        i, o, u = (dy.pick_range(gates, k * WIDTH, (k + 1) * WIDTH) for k in range(3))
        c = dy.cmult(dy.logistic(i), dy.tanh(u))
        if kept is not None:
            c = c + kept
        return dy.cmult(dy.logistic(o), dy.tanh(c)), c

    def states_of(tree):
        states = []
        for _, word, left, right in tree:
            if word is not None:
                state = of_gates(dy.affine_transform([leaf_b, leaf_w, table[word]]))
            else:
                (hl, cl), (hr, cr) = states[left], states[right]
                gates = dy.affine_transform([gates_b, gates_w, dy.concatenate([hl, hr])])
                kept = (dy.cmult(dy.logistic(dy.affine_transform([forget_b, forget_left, hl])), cl) +
                        dy.cmult(dy.logistic(dy.affine_transform([forget_b, forget_right, hr])), cr))
                state = of_gates(gates, kept)
            states.append(state)
        return states

    def losses_of(tree):
        return [dy.pickneglogsoftmax(dy.affine_transform([label_b, label_w, h]), node[0]) for node, (h, _) in zip(tree, states_of(tree))]

    def learn(some):
        dy.renew_cg()
        loss = dy.esum([loss for tree in some for loss in losses_of(tree)])
        loss.forward()
        loss.backward()
        trainer.update()

    draw = random.Random(1)
    if settings.epochs:
        for _ in range(settings.epochs):
            draw.shuffle(trees)
            for first in range(0, len(trees) - settings.bulk + 1, settings.bulk):
                learn(trees[first:first + settings.bulk])
        right = 0
        held_out = read_trees(f"{settings.data}/trees/dev.txt", numbers, False)
        for tree in held_out:
            dy.renew_cg()
            scores = dy.affine_transform([label_b, label_w, states_of(tree)[-1][0]]).npvalue()
            right += int(scores.argmax()) == tree[-1][0]
        print(f"root accuracy {right / len(held_out):.4f} after {settings.epochs} epochs")
        return
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < settings.seconds + 1:
        began = time.perf_counter()
        learn(draw.sample(trees, settings.bulk))
        if began - start > 1:
            times.append(time.perf_counter() - began)
    print(f"{settings.bulk * len(times) / sum(times):.1f} sentences/s, {statistics.median(times) * 1e6:.0f} us a step in the median")


if __name__ == "__main__":
    main()
