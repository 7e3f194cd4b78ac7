// Faults that a test plants in the compiler, to see that fuzzing finds such faults (`build/bin/fuzz --plant`). They are looked at
// only where plans are made; nothing that runs often knows of them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace swage {

enum class PlantedFault : std::uint8_t {
  none,
  alias,   // what was written through one view is thought not to be seen through another
  escape,  // a storage that somebody still holds is not written
  tail,    // the masked end of a loop lacks a lane
  scalar,  // a scalar keeps the value of the first run
  order,   // two groups that depend on each other change places
};
inline constexpr std::array<std::string_view, 6> kPlantedFaultNames = {"none", "alias", "escape", "tail", "scalar", "order"};

inline std::atomic<PlantedFault> planted_fault{PlantedFault::none};

inline bool planted(PlantedFault fault) { return planted_fault.load(std::memory_order_relaxed) == fault; }

}  // namespace swage
