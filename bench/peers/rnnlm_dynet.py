"""The language model of bench/workloads/rnnlm.cpp in DyNet, for comparison: words a second.

    tools/dev peers rnnlm  # leaves DyNet in build/peers/dynet
    PYTHONPATH=build/peers/dynet build/peers/bin/python bench/peers/rnnlm_dynet.py DATA [--no-autobatch] [--batch N] [--seconds S]

DATA/text/dev.txt is the Penn Treebank's. Sentences are sorted by length, cut into minibatches and padded; losses behind the ends are masked
where there are any.
"""

import random

import _dynet as dy
import numpy

import dynet_runs

EMBEDDING, UNITS = 128, 256


def main():
    settings = dynet_runs.parse_arguments(__doc__, 3072, size="--batch")
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

    def learn():
        batch = draw.choice(minibatches)
        dy.renew_cg()
        loss = loss_of(batch)
        value = loss.value()
        loss.backward()
        trainer.update()
        return sum(map(len, batch)), value

    dynet_runs.measure(learn, "words", settings)


if __name__ == "__main__":
    main()
