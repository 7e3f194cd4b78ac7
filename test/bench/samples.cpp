// What is tested of workloads holds on the samples that they bring along, whatever data sets the machine names.
#include <cstdlib>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

class Samples final : public ::testing::Environment {
 public:
  void SetUp() override { unsetenv("SWAGE_DATA"); }
};

[[maybe_unused]] const ::testing::Environment* const samples = ::testing::AddGlobalTestEnvironment(new Samples);

}  // namespace
}  // namespace swage::bench
