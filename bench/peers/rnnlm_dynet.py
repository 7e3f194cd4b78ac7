"""The language model of bench/workloads/rnnlm.cpp in DyNet, for comparison: words a second.

    python3.8 -m venv build/dynet && build/dynet/bin/pip install numpy cython dynet
    build/dynet/bin/python bench/peers/rnnlm_dynet.py DATA [--batch N] [--seconds S]

DATA/text/dev.txt is the Penn Treebank's. Sentences are sorted by length, cut into minibatches and padded; losses behind the ends are masked
where there are any.
"""

import argparse
import random
import statistics
import time

import _dynet as dy
import numpy

EMBEDDING, UNITS = 128, 256


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data")
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--autobatch", action="store_true")
    settings = arguments.parse_args()
    options = dy.DynetParams()
    options.set_autobatch(settings.autobatch)
    options.set_mem(3072)
    options.init()
    numbers, sentences = {}, []
    for line in open(f"{settings.data}/text/dev.txt", encoding="utf-8"):
        words = line.split()
        if words:
            sentences.append([numbers.setdefault(word, len(numbers)) for word in [*words, "</s>"]])
    sentences.sort(key=len)
    n = settings.batch
    minibatches = [sentences[i:i + n] for i in range(0, len(sentences) - n + 1, n)]
    model = dy.ParameterCollection()
    trainer = dy.AdamTrainer(model)
    trainer.set_sparse_updates(True)
    table = model.add_lookup_parameters((len(numbers), EMBEDDING))
    rnn = dy.VanillaLSTMBuilder(1, EMBEDDING, UNITS, model)
    output_w, output_b = model.add_parameters((len(numbers), UNITS)), model.add_parameters(len(numbers))
    end = numbers["</s>"]

    def loss_of(batch):
        state, losses, before = rnn.initial_state(), [], [end] * len(batch)
        for t in range(len(batch[-1])):
            here = [words[t] if t < len(words) else end for words in batch]
            state = state.add_input(dy.lookup_batch(table, before))
            loss = dy.pickneglogsoftmax_batch(dy.affine_transform([output_b, output_w, state.output()]), here)
            if t >= len(batch[0]):
                mask = numpy.array([[float(t < len(words)) for words in batch]])
                loss = dy.cmult(loss, dy.inputTensor(mask, batched=True))
            losses.append(dy.sum_batches(loss))
            before = here
        return dy.esum(losses)

    draw = random.Random(1)
    times, counted, last, start = [], 0, [], time.perf_counter()
    while time.perf_counter() - start < settings.seconds + 1:
        batch = draw.choice(minibatches)
        words = sum(map(len, batch))
        began = time.perf_counter()
        dy.renew_cg()
        loss = loss_of(batch)
        last = (last + [loss.value() / words])[-20:]
        loss.backward()
        trainer.update()
        if began - start > 1:
            times.append(time.perf_counter() - began)
            counted += words
    print(f"{counted / sum(times):.0f} words/s, {statistics.median(times) * 1e3:.1f} ms a step in the median, "
          f"loss a word {statistics.mean(last):.2f}")


if __name__ == "__main__":
    main()
