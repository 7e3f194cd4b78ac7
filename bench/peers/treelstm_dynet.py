"""The Tree-LSTM of bench/workloads/treelstm.cpp in DyNet with autobatching, for comparison: sentences a second.

    python3.8 -m venv build/dynet && build/dynet/bin/pip install numpy cython dynet
    build/dynet/bin/python bench/peers/treelstm_dynet.py DATA [--bulk N] [--seconds S]

DyNet's wheels end at Python 3.8 and are built for any x86-64. DATA/trees/train.txt is the Stanford Sentiment Treebank.
"""

import argparse
import random
import re
import statistics
import time

import _dynet as dy

WIDTH, LABELS = 128, 5


def read_trees(path):
    """Nodes (label, word or None, left, right) of each tree, children first."""
    numbers, trees = {}, []
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
                nodes.append((label, numbers.setdefault(tokens[at], len(numbers)), -1, -1))
                at += 1
            at += 1
            return len(nodes) - 1

        node()
        trees.append(nodes)
    return trees, len(numbers)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data")
    arguments.add_argument("--bulk", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=5)
    settings = arguments.parse_args()
    options = dy.DynetParams()
    options.set_autobatch(True)
    options.set_mem(2048)
    options.init()
    trees, words = read_trees(f"{settings.data}/trees/train.txt")
    model = dy.ParameterCollection()
    trainer = dy.AdamTrainer(model)
    trainer.set_sparse_updates(True)
    table = model.add_lookup_parameters((words, WIDTH))
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

    def losses_of(tree):
        states, losses = [], []
        for label, word, left, right in tree:
            if word is not None:
                state = of_gates(dy.affine_transform([leaf_b, leaf_w, table[word]]))
            else:
                (hl, cl), (hr, cr) = states[left], states[right]
                gates = dy.affine_transform([gates_b, gates_w, dy.concatenate([hl, hr])])
                kept = (dy.cmult(dy.logistic(dy.affine_transform([forget_b, forget_left, hl])), cl) +
                        dy.cmult(dy.logistic(dy.affine_transform([forget_b, forget_right, hr])), cr))
                state = of_gates(gates, kept)
            states.append(state)
            losses.append(dy.pickneglogsoftmax(dy.affine_transform([label_b, label_w, state[0]]), label))
        return losses

    draw = random.Random(1)
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < settings.seconds + 1:
        began = time.perf_counter()
        dy.renew_cg()
        losses = [loss for tree in draw.sample(trees, settings.bulk) for loss in losses_of(tree)]
        loss = dy.esum(losses)
        loss.forward()
        loss.backward()
        trainer.update()
        if began - start > 1:
            times.append(time.perf_counter() - began)
    print(f"{settings.bulk * len(times) / sum(times):.1f} sentences/s, {statistics.median(times) * 1e6:.0f} us a step in the median")


if __name__ == "__main__":
    main()
