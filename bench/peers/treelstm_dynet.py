"""The Tree-LSTM of bench/workloads/treelstm.cpp in DyNet, for comparison: sentences a second.

    tools/dev peers treelstm  # leaves DyNet in build/peers/dynet
    PYTHONPATH=build/peers/dynet build/peers/bin/python bench/peers/treelstm_dynet.py DATA [--no-autobatch] [--bulk N] [--seconds S] [--epochs N]

With epochs, so many passes over the training trees, and the share of DATA/trees/dev.txt whose root is told right.
DATA/trees/train.txt is the Stanford Sentiment Treebank.
"""

import random
import re

import _dynet as dy

import dynet_runs

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
    settings = dynet_runs.parse_arguments(__doc__, 2048, flags=[("--epochs", {"type": int, "default": 0})])
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
        value = loss.value()
        loss.backward()
        trainer.update()
        return len(some), value

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
    dynet_runs.measure(lambda: learn(draw.sample(trees, settings.bulk)), "sentences", settings)


if __name__ == "__main__":
    main()
