// Predicts a trace of a family at extents that it has not been seen with, by dataflow: what enters and what is written into
// attributes follows the extent that changed, as two known members tell; everything else follows from the ops.
#pragma once

#include <optional>

#include <runtime/trace/trace.hpp>

namespace swage {

// `a` and `b` are of one family and agree up to record `at`, an input, in whose extents they differ. The trace that goes like
// them up to there, and on from the input `got`: integers are a·n + b in the extent that changed, literals are integers of that
// kind, their reciprocals 1/k, or k/(k − 1); whatever `a` and `b` agree in stays. Nothing where no trace of the family comes of
// it. A guess: only a program can tell whether it runs so.
std::optional<Trace> derive(const Trace& a, const Trace& b, RecordIndex at, const KeyHalf& got);

// The first record in which traces of one family differ; their size where they do not.
RecordIndex first_difference(const Trace& a, const Trace& b);

}  // namespace swage
