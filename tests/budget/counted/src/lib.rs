//! The filter with its allocations counted, for the budget: the one that ships does not carry the
//! counter.

use count_allocations as _;
use tcp_peer_stats as _;
