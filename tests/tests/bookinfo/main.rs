//! All of Bookinfo in real Envoys, and what the tools of an Istio mesh make of its metrics.

mod demo;
