"""The tagger of bench/workloads/tagger.cpp in DyNet, for comparison: words a second.

    tools/dev peers tagger  # leaves DyNet in build/peers/dynet
    PYTHONPATH=build/peers/dynet build/peers/bin/python bench/peers/tagger_dynet.py DATA [--no-autobatch] [--chars] [--bulk N] [--seconds S]

DATA/tags/dev.txt is WikiNER. `--chars` spells words seen under five times in training, as `char_tagger` does.
"""

import collections
import random

import _dynet as dy

import dynet_runs

WIDTH, UNITS, HIDDEN = 128, 50, 32
BYTES, BYTE_WIDTH, BYTE_UNITS = 256, 20, 64
RARE = 5


def read_tagged(path):
    """Sentences of (word, tag); the last tenth is held out."""
    sentences = [[token.rsplit("|", 1) for token in line.split()] for line in open(path, encoding="utf-8")]
    sentences = [sentence for sentence in sentences if sentence]
    return sentences[:len(sentences) - len(sentences) // 10]


def main():
    settings = dynet_runs.parse_arguments(__doc__, 2048, flags=[("--chars", {"action": "store_true"})])
    sentences = read_tagged(f"{settings.data}/tags/dev.txt")
    seen = collections.Counter(word for sentence in sentences for word, _ in sentence)
    words = {word: i for i, word in enumerate((w for w, n in seen.items() if n >= RARE), start=1)}
    tags = {tag: i for i, tag in enumerate(sorted({tag for sentence in sentences for _, tag in sentence}))}
    model = dy.ParameterCollection()
    trainer = dy.AdamTrainer(model)
    trainer.set_sparse_updates(True)
    table = model.add_lookup_parameters((len(words) + 1, WIDTH))
    bytes_table = model.add_lookup_parameters((BYTES, BYTE_WIDTH))
    ahead, back = (dy.VanillaLSTMBuilder(1, WIDTH, UNITS, model) for _ in range(2))
    byte_ahead, byte_back = (dy.VanillaLSTMBuilder(1, BYTE_WIDTH, BYTE_UNITS, model) for _ in range(2))
    hidden_w, hidden_b = model.add_parameters((HIDDEN, 2 * UNITS)), model.add_parameters(HIDDEN)
    output_w, output_b = model.add_parameters((len(tags), HIDDEN)), model.add_parameters(len(tags))

    def word_of(word):
        number = words.get(word, 0)
        if number or not settings.chars:
            return table[number]
        letters = [bytes_table[b] for b in word.encode("utf-8")]
        last = byte_ahead.initial_state().transduce(letters)[-1], byte_back.initial_state().transduce(letters[::-1])[-1]
        return dy.concatenate(list(last))

    def losses_of(sentence):
        read = [word_of(word) for word, _ in sentence]
        states = ahead.initial_state().transduce(read)
        states_back = back.initial_state().transduce(read[::-1])[::-1]
        losses = []
        for h, b, (_, tag) in zip(states, states_back, sentence):
            inner = dy.tanh(dy.affine_transform([hidden_b, hidden_w, dy.concatenate([h, b])]))
            losses.append(dy.pickneglogsoftmax(dy.affine_transform([output_b, output_w, inner]), tags[tag]))
        return losses

    draw = random.Random(1)

    def learn():
        dy.renew_cg()
        losses = [loss for sentence in draw.sample(sentences, settings.bulk) for loss in losses_of(sentence)]
        loss = dy.esum(losses)
        value = loss.value()
        loss.backward()
        trainer.update()
        return len(losses), value

    dynet_runs.measure(learn, "words", settings)


if __name__ == "__main__":
    main()
