//! Reads a page of metrics.

/// The value of one metric, named as it is printed (`weir_in_flight`, `a{b="c"}`): the sum of all its series with these
/// labels; `None` if there are none.
///
/// # Panics
///
/// If a value is no number.
pub fn value(page: &str, series: &str) -> Option<f64> {
    let (name, labels) = parts(series);
    let figures = page.lines().filter_map(|line| {
        let (found, figure) = line.rsplit_once(' ')?;
        let (known, others) = parts(found);
        let is_meant = known == name && labels.iter().all(|label| others.contains(label));
        is_meant.then(|| figure.parse::<f64>().expect("metrics are numbers"))
    });
    figures.reduce(|sum, figure| sum + figure)
}

/// A metric's name and its labels.
fn parts(series: &str) -> (&str, Vec<&str>) {
    let Some((name, rest)) = series.split_once('{') else { return (series, Vec::new()) };
    // Values have no commas between quotes here.
    (name, rest.trim_end_matches('}').split(',').collect())
}
