//! A plot of instructions by what they may grow with.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use mesh::error::{Context, Result};
use mesh::workspace;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 36.0;
/// The number of the grid's lines above zero.
const LINES: u32 = 4;
/// The scale ends at a multiple of it, so that each line has a multiple of 100.
const HUNDREDS: f64 = LINES as f64 * 100.0;
const STYLE: &str = "\
text { font: 12px sans-serif; fill: #333 } .axis { stroke: #ccc } polyline { fill: none; stroke-width: 2 } \
.none { stroke: #999 } .ours { stroke: #2563a8 }";

/// Curves over the same numbers.
#[derive(Debug)]
pub(super) struct Plot {
    /// A word for the file.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) curves: Vec<Curve>,
}

/// The values of one contestant, each with its number.
#[derive(Debug)]
pub(super) struct Curve {
    class: &'static str,
    name: &'static str,
    points: Vec<(u32, f64)>,
}

impl Curve {
    pub(super) fn none(points: Vec<(u32, f64)>) -> Self {
        Self {
            class: "none",
            name: "no filter",
            points,
        }
    }

    pub(super) fn ours(points: Vec<(u32, f64)>) -> Self {
        Self {
            class: "ours",
            name: "tcp-peer-stats",
            points,
        }
    }
}

impl Plot {
    /// Writes the plot to a file in the target folder, and returns its path.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let file = workspace::target().join(format!("cost-{}.svg", self.name));
        fs::write(&file, self.draw()).context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// Draws it as SVG. The scale begins at zero; the numbers are at equal distances.
    fn draw(&self) -> String {
        let values = || self.curves.iter().flat_map(|curve| &curve.points);
        let highest = values().map(|(_, value)| *value).fold(1.0, f64::max);
        let high = (highest / HUNDREDS).ceil() * HUNDREDS;
        let y = |value: f64| TOP + (1.0 - value / high) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<style>{STYLE}</style>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"16\" y=\"24\">{}</text>\n",
            self.title
        );
        for line in 0..=LINES {
            let value = high * f64::from(line) / f64::from(LINES);
            let _fits = writeln!(
                svg,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
                WIDTH - RIGHT,
                y(value),
                y(value),
                LEFT - 8.0,
                y(value) + 4.0
            );
        }
        for curve in &self.curves {
            curve.draw(&mut svg, y);
        }
        svg + "</svg>\n"
    }
}

impl Curve {
    fn draw(&self, svg: &mut String, y: impl Fn(f64) -> f64) {
        let gaps = self.points.len().saturating_sub(1).max(1) as f64;
        let x = |index: usize| LEFT + 20.0 + index as f64 / gaps * (WIDTH - LEFT - RIGHT - 40.0);
        let mut line = String::new();
        for (index, (number, value)) in self.points.iter().enumerate() {
            let _fits = write!(line, "{:.1},{:.1} ", x(index), y(*value));
            let _fits = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.0}</text>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{number}</text>",
                x(index),
                y(*value) - 6.0,
                x(index),
                HEIGHT - 14.0
            );
        }
        let _fits = writeln!(
            svg,
            "<polyline class=\"{}\" points=\"{line}\"/>",
            self.class
        );
        if let Some((_, value)) = self.points.last() {
            let _fits = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT + 4.0,
                y(*value) + 4.0,
                self.name
            );
        }
    }
}
