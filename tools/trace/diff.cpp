// `swage trace diff`: two traces side by side.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <runtime/trace/difference.hpp>
#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// Whether the records compute the same: sizes and operands apart.
bool alike(const KeyHalf& a, const KeyHalf& b) { return a.op == b.op && a.n_operands == b.n_operands && a.flags == b.flags; }

struct Row {
  int a = -1, b = -1;  // records; -1 for none
};

// Records of both in order, as many alike beside each other as there can be.
std::vector<Row> aligned(const Trace& a, const Trace& b) {
  const std::size_t n = a.size(), m = b.size();
  std::size_t start = 0;
  while (start < std::min(n, m) && a.keys[start] == b.keys[start]) ++start;
  std::vector<Row> rows;
  rows.reserve(n + m);
  for (std::size_t i = 0; i < start; ++i) rows.push_back({static_cast<int>(i), static_cast<int>(i)});
  constexpr std::size_t kMost = 4096;  // records each that are compared all with all
  if (n - start > kMost || m - start > kMost) {
    for (std::size_t i = start; i < std::max(n, m); ++i)
      rows.push_back({i < n ? static_cast<int>(i) : -1, i < m ? static_cast<int>(i) : -1});
    return rows;
  }
  const std::size_t width = m - start + 1;
  std::vector<std::uint16_t> longest((n - start + 1) * width);
  const auto at = [&](std::size_t i, std::size_t k) -> std::uint16_t& { return longest[(i - start) * width + (k - start)]; };
  for (std::size_t i = n; i-- > start;)
    for (std::size_t k = m; k-- > start;)
      at(i, k) =
          alike(a.keys[i], b.keys[k]) ? static_cast<std::uint16_t>(at(i + 1, k + 1) + 1) : std::max(at(i + 1, k), at(i, k + 1));
  for (std::size_t i = start, k = start; i < n || k < m;) {
    if (i < n && k < m && alike(a.keys[i], b.keys[k])) {
      rows.push_back({static_cast<int>(i++), static_cast<int>(k++)});
    } else if (k == m || (i < n && at(i + 1, k) >= at(i, k + 1))) {
      rows.push_back({static_cast<int>(i++), -1});
    } else {
      rows.push_back({-1, static_cast<int>(k++)});
    }
  }
  return rows;
}

std::string record_text(const Trace& trace, int i) {
  return i < 0 ? std::string() : print_record(trace, static_cast<RecordIndex>(i));
}

}  // namespace

void add_diff(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("diff", "two traces side by side, the first difference marked");
  auto arguments = std::make_shared<TraceArguments>();
  auto other = std::make_shared<std::string>();
  command->add_option("a", arguments->id, "a trace such as t17")->required();
  command->add_option("b", *other, "another")->required();
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_flag("--json", arguments->json, "as one line of JSON");
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry &a = trace_named(run, arguments->id), &b = trace_named(run, *other);
    SourceLines lines(run);
    const auto rows = aligned(a.trace, b.trace);
    const auto same = [&](const Row& row) {
      return row.a >= 0 && row.b >= 0 &&
             a.trace.keys[static_cast<std::size_t>(row.a)] == b.trace.keys[static_cast<std::size_t>(row.b)];
    };
    const auto first = std::ranges::find_if_not(rows, same);
    std::string words = "the traces are equal", place;
    if (first != rows.end()) {
      if (first->a >= 0 && first->b >= 0)
        words = describe_difference(a.trace.keys[static_cast<std::size_t>(first->a)],
                                    b.trace.keys[static_cast<std::size_t>(first->b)]);
      else
        words = fmt::format("{} has a record that {} has not", name_of_trace((first->a >= 0 ? a : b).trace.id),
                            name_of_trace((first->a >= 0 ? b : a).trace.id));
      place = first->b >= 0 ? place_of(b, static_cast<RecordIndex>(first->b), lines)
                            : place_of(a, static_cast<RecordIndex>(first->a), lines);
    }
    if (arguments->json) {
      Json list = Json::array();
      for (const Row& row : rows)
        list.push_back({{"a", record_text(a.trace, row.a)}, {"b", record_text(b.trace, row.b)}, {"same", same(row)}});
      print_json({{"a", name_of_trace(a.trace.id)},
                  {"b", name_of_trace(b.trace.id)},
                  {"first_difference", words},
                  {"site", place},
                  {"rows", list}});
      return;
    }
    fmt::print("{}", painted(wrapped(fmt::format("first difference: {}{}{}", words, place.empty() ? "" : ", at ", place), 4),
                             {{"first difference:", Ink::heading}}));
    constexpr std::size_t kColumn = 47;
    constexpr std::ptrdiff_t kBefore = 3;
    const auto begin = first - std::min(first - rows.begin(), kBefore);
    if (begin != rows.begin()) fmt::print("  ({} equal records before)\n", begin - rows.begin());
    for (auto row = begin; row != rows.end(); ++row)
      fmt::print("{} {:<47} | {}\n",
                 row == first ? ">>"
                 : same(*row) ? "  "
                              : " >",
                 cut_to_width(record_text(a.trace, row->a), kColumn), cut_to_width(record_text(b.trace, row->b), kColumn));
  });
}

}  // namespace swage::tool
