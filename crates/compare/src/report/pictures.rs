//! Pictures of a report, as SVG.

mod axis;
mod bars;
mod chart;
mod database;
mod distribution;
mod drawing;
mod journal;
mod kind;
mod legend;
mod over_time;
mod processes;
mod svg;

use super::escape::escape;
use super::{Report, palette};
use drawing::Drawing;
pub(super) use drawing::Layout;

/// How the parts of a picture look, by the names of the palette's colours.
pub(super) const STYLE: &str = include_str!("pictures/style.css");

/// Around a picture that stands alone.
const MARGIN: f64 = 28.0;
/// For its title.
const HEADER: f64 = 40.0;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Answered and failed requests a second, over time.
    Throughput,
    /// Latency at the 50th and 99th percentile, over time.
    Latency,
    /// The whole distribution of the latency.
    Distribution,
    /// What waited in the journal, and how old it was, over time.
    Journal,
    /// Rows brought into the database a second, over time.
    Rows,
    /// Rows, commits and statements for each hundred acknowledged writes.
    DatabaseLoad,
    /// The share of reads that the cache answered, over time.
    CacheHits,
    /// Processor time and memory by process.
    Processes,
}

impl Picture {
    /// All, in the order of the report.
    pub const ALL: [Picture; 8] = [
        Picture::Throughput,
        Picture::Latency,
        Picture::Distribution,
        Picture::Journal,
        Picture::Rows,
        Picture::DatabaseLoad,
        Picture::CacheHits,
        Picture::Processes,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Picture::Throughput => "Requests a second",
            Picture::Latency => "Latency over time",
            Picture::Distribution => "Latency, from the usual to the rarest",
            Picture::Journal => "What waited in the journal",
            Picture::Rows => "Rows brought into the database",
            Picture::DatabaseLoad => "What the database was asked",
            Picture::CacheHits => "Reads answered by the cache",
            Picture::Processes => "What the processes used",
        }
    }

    /// A name for its file, without an ending: `journal`.
    pub fn file_stem(self) -> &'static str {
        match self {
            Picture::Throughput => "throughput",
            Picture::Latency => "latency",
            Picture::Distribution => "distribution",
            Picture::Journal => "journal",
            Picture::Rows => "rows",
            Picture::DatabaseLoad => "database-load",
            Picture::CacheHits => "cache-hits",
            Picture::Processes => "processes",
        }
    }

    /// What to look at, in a sentence or two.
    pub(super) fn caption(self) -> &'static str {
        match self {
            Picture::Throughput => {
                "Successful answers in each slice of time. Dotted: requests that failed."
            }
            Picture::Latency => {
                "In each slice of time, half of the requests answered in it took no longer than the dashed line, and \
                 99 % no longer than the solid one. Each gridline is a multiple of the one below."
            }
            Picture::Distribution => {
                "How long the given share of the answered requests took at most, as far as enough \
                 were answered to tell. Each step to the right is a request ten times as rare; each \
                 gridline is a multiple of the one below."
            }
            Picture::Journal => {
                "Writes that were answered and not yet in the database, and the age of the oldest."
            }
            Picture::Rows => "Rows inserted or updated in each slice of time.",
            Picture::DatabaseLoad => {
                "Writes of one name that go to the database together are one row there."
            }
            Picture::CacheHits => "The others were answered by the database.",
            Picture::Processes => {
                "Processor time for each answered request, and the most memory that was resident. \
                 The tool itself is left out."
            }
        }
    }

    fn draw(self, report: &Report, layout: Layout) -> Option<Drawing> {
        match self {
            Picture::Throughput => over_time::throughput(report, layout),
            Picture::Latency => over_time::latency(report, layout),
            Picture::Distribution => distribution::draw(report, layout),
            Picture::Journal => journal::draw(report, layout),
            Picture::Rows => over_time::rows(report, layout),
            Picture::DatabaseLoad => database::draw(report, layout),
            Picture::CacheHits => over_time::cache_hits(report, layout),
            Picture::Processes => processes::draw(report, layout),
        }
    }
}

/// The picture as a file of its own: with its title, light, on a background of its own.
/// Where nothing is known that it could show, it says so.
pub fn standalone(report: &Report, picture: Picture) -> String {
    let drawing = picture.draw(report, Layout::Wide).unwrap_or_else(|| {
        let mut nothing = Drawing::new(Layout::Wide, 40.0);
        nothing.text("soft", 0.0, 20.0, "start", "Nothing was measured.");
        nothing.describe("Nothing was measured.");
        nothing
    });
    let width = drawing.width() + 2.0 * MARGIN;
    let height = drawing.height() + HEADER + 2.0 * MARGIN;
    let mut frame = Drawing::sized(Layout::Wide, width, height);
    frame.rect("card", 0.0, 0.0, width, height);
    frame.text("title", MARGIN, MARGIN + 14.0, "start", picture.title());
    let description = drawing.description().to_owned();
    frame.place(drawing, MARGIN, MARGIN + HEADER);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture wide\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\
         <desc>{}</desc><style>{}</style>{}</svg>\n",
        escape(picture.title()),
        escape(&description),
        palette::resolved(STYLE),
        frame.body(),
    )
}

/// The picture within a page that has [`STYLE`] and the palette; `None` where nothing is known
/// that it could show.
pub(super) fn embedded(report: &Report, picture: Picture, layout: Layout) -> Option<String> {
    let drawing = picture.draw(report, layout)?;
    Some(format!(
        "<svg class=\"picture {}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}. {}\">{}</svg>",
        layout.class(),
        drawing.width(),
        drawing.height(),
        escape(picture.title()),
        escape(drawing.description()),
        drawing.body(),
    ))
}
