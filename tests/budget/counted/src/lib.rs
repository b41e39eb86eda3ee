//! The filter with its allocations counted, for the budget. The shipped filter has no counter.

use count_allocations as _;
use tcp_peer_stats as _;
