//! The plot of the ratios: a dot for every round, a bar for the median.

use std::fmt::Write as _;

use super::contestant::Contestant;
use super::report::Report;
use super::statistics::Spread;

const WIDTH: f64 = 860.0;
/// The left end of the scale, after the names.
const LEFT: f64 = 370.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 56.0;
const ROW: f64 = 44.0;
const STYLE: &str = "\
text { font: 13px sans-serif; fill: #333 } .small { font-size: 11px; fill: #666 } .axis { stroke: #ccc } \
.one { stroke: #333 } .empty { fill: #999; stroke: #999 } .ours { fill: #2563a8; stroke: #2563a8 }";

/// Draws a report as SVG.
pub(super) fn draw(report: &Report) -> String {
    let rows: Vec<_> = report
        .measures
        .iter()
        .map(|measure| {
            let paired = |of| measure.paired(of, Contestant::NoFilter);
            let pair = [paired(Contestant::EmptyFilter), paired(Contestant::Filter)];
            (measure.name.as_str(), pair)
        })
        .collect();
    // The scale depends on the medians: an outlier must not compress all others.
    let medians = || {
        let pairs = rows.iter().flat_map(|(_, pair)| pair);
        pairs.map(|ratios| Spread::of(ratios).median)
    };
    let scale = Scale {
        low: (medians().fold(1.0, f64::min) * 10.0).floor() / 10.0 - 0.1,
        high: (medians().fold(1.1, f64::max) * 10.0).ceil() / 10.0 + 0.2,
    };
    let height = TOP + ROW * rows.len() as f64 + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"24\">Envoy with a filter ÷ Envoy without: each dot is a round, each bar a median</text>\n\
         <text x=\"16\" y=\"42\" class=\"small\">grey: an empty Wasm filter; blue: tcp-peer-stats. Envoy {}</text>\n",
        report.envoy
    );
    axis(&mut svg, &scale, height);
    for (index, (name, pair)) in rows.iter().enumerate() {
        let y = TOP + ROW * (index as f64 + 0.5);
        let _fits = writeln!(svg, "<text x=\"16\" y=\"{:.0}\">{name}</text>", y + 4.0);
        for ((class, offset), values) in [("empty", -9.0), ("ours", 9.0)].iter().zip(pair) {
            dots(&mut svg, &scale, class, y + offset, values);
        }
    }
    svg + "</svg>\n"
}

struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The x coordinate of a ratio, limited to the ends of the scale.
    fn x(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.low, self.high);
        LEFT + (ratio - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)
    }
}

/// Draws a grid line for each tenth, or fewer if there is no room.
fn axis(svg: &mut String, scale: &Scale, height: f64) {
    let tenths = ((scale.high - scale.low) * 10.0).round() as u32;
    let step = tenths.div_ceil(10).max(1) as usize;
    for tenth in (0..=tenths).step_by(step) {
        let ratio = scale.low + f64::from(tenth) / 10.0;
        let class = if (ratio - 1.0).abs() < 0.01 {
            "one"
        } else {
            "axis"
        };
        let (x, bottom) = (scale.x(ratio), height - 30.0);
        let _fits = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"small\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{ratio:.1}</text>",
            bottom + 16.0
        );
    }
}

fn dots(svg: &mut String, scale: &Scale, class: &str, y: f64, values: &[f64]) {
    for value in values {
        let x = scale.x(*value);
        let _fits = writeln!(
            svg,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill-opacity=\"0.35\" stroke=\"none\"/>"
        );
    }
    let median = Spread::of(values).median;
    let x = scale.x(median);
    let _fits = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke-width=\"3\"/>\
         <text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{median:.2}</text>",
        y - 7.0,
        y + 7.0,
        x + 6.0,
        y + 4.0
    );
}
