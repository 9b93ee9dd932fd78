//! `hoplab merge`: joins the parts of a study that lie in several folders, or that an interrupted command left.

use hoplab_reports::study::Kind;

use crate::arguments::MergeArguments;
use crate::end::End;
use crate::study::OpenStudy;
use crate::{advise, explore, seeds, sweep};

/// Joins the parts, and reports as the command that asked for them does.
pub(crate) fn merge(arguments: &MergeArguments) -> anyhow::Result<End> {
    let dir = arguments.out.as_ref().unwrap_or(&arguments.dirs[0]);
    let open = OpenStudy::put_together(&arguments.dirs, dir, arguments.json)?;
    match open.study.kind {
        Kind::Seeds => seeds::finish(&open),
        Kind::Sweep => sweep::merge(&open),
        Kind::Explore => explore::merge(&open),
        Kind::Advise => advise::merge(&open),
    }
}
