//! What people and programs get to see of a run: table, summary, files, plots and page.

mod compare;
mod data;
mod explore;
mod fixture;
mod index;
mod over_time;
mod page;
mod plots;
mod summary;
mod sweep;
mod table;
mod verdict;
mod write;
