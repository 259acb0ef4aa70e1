#include "common/ring.hpp"
#include <gtest/gtest.h>
TEST(Ring, starts_empty) { EXPECT_EQ(rcmd::Ring(4).size(), 0U); }
