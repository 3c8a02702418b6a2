//! An optimal assignment of rows to columns.

/// For each row its column, such that the sum of costs is least, at most one row a column; `None` for rows
/// that find no column. `costs` is row by row; an infinite cost forbids the pair.
///
/// Shortest augmenting paths with potentials (Jonker and Volgenant, 1987): O(rows² · columns), 200 x 200
/// takes about a millisecond. As many rows are matched as can be, if there are no more rows than columns.
pub(super) fn assign(rows: usize, columns: usize, costs: &[f64]) -> Vec<Option<usize>> {
    debug_assert_eq!(costs.len(), rows * columns, "one cost a pair");
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    let mut row_price = vec![0.0; rows];
    let mut column_price = vec![0.0; columns];
    // Of the search from one row: distance to each column, the column before it, and which are settled.
    let mut distance = vec![f64::INFINITY; columns];
    let mut before: Vec<Option<usize>> = vec![None; columns];
    let mut settled = vec![false; columns];

    for start in 0..rows {
        distance.fill(f64::INFINITY);
        before.fill(None);
        settled.fill(false);
        let (mut row, mut via, mut length) = (start, None, 0.0);
        let end = loop {
            let mut nearest: Option<usize> = None;
            for column in (0..columns).filter(|&column| !settled[column]) {
                let reduced = costs[row * columns + column] - row_price[row] - column_price[column];
                if length + reduced < distance[column] {
                    distance[column] = length + reduced;
                    before[column] = via;
                }
                if nearest.is_none_or(|nearest| distance[column] < distance[nearest]) {
                    nearest = Some(column);
                }
            }
            let Some(column) = nearest.filter(|&column| distance[column] < f64::INFINITY) else { break None };
            settled[column] = true;
            length = distance[column];
            match row_of[column] {
                None => break Some(column),
                Some(taken) => (row, via) = (taken, Some(column)),
            }
        };
        let Some(end) = end else { continue };
        for column in (0..columns).filter(|&column| settled[column]) {
            let slack = length - distance[column];
            column_price[column] -= slack;
            if let Some(row) = row_of[column] {
                row_price[row] += slack;
            }
        }
        row_price[start] += length;
        // Each column of the path takes the row of the column before it.
        let mut column = end;
        while let Some(previous) = before[column] {
            row_of[column] = row_of[previous];
            column = previous;
        }
        row_of[column] = Some(start);
    }

    let mut column_of = vec![None; rows];
    for (column, row) in row_of.iter().enumerate() {
        if let Some(row) = *row {
            column_of[row] = Some(column);
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::assign;

    fn sum(columns: usize, costs: &[f64], found: &[Option<usize>]) -> f64 {
        found
            .iter()
            .enumerate()
            .filter_map(|(row, column)| column.map(|column| costs[row * columns + column]))
            .sum()
    }

    /// The least cost of the rows from `row` on, by trying everything.
    fn least(row: usize, rows: usize, columns: usize, costs: &[f64], taken: &mut Vec<usize>) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..columns {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.min(costs[row * columns + column] + least(row + 1, rows, columns, costs, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn equals_trying_everything() {
        let mut random = Random::new();
        for case in 0..200 {
            let (rows, columns) = (case % 5 + 1, 5 + case % 3);
            let costs: Vec<f64> = (0..rows * columns).map(|_| random.below(20) as f64 - 5.0).collect();
            let found = assign(rows, columns, &costs);
            let mut used: Vec<usize> = found.iter().flatten().copied().collect();
            used.sort_unstable();
            used.dedup();
            assert_eq!(used.len(), rows, "every row has its own column");
            let expect = least(0, rows, columns, &costs, &mut Vec::new());
            assert!((sum(columns, &costs, &found) - expect).abs() < 1e-9, "case {case}");
        }
    }

    #[test]
    fn forbidden_pairs_stay_apart() {
        let no = f64::INFINITY;
        assert_eq!(assign(2, 2, &[no, 1.0, 2.0, 9.0]), [Some(1), Some(0)]);
        assert_eq!(assign(2, 2, &[1.0, no, 0.0, no]), [Some(0), None]);
        assert_eq!(assign(1, 2, &[no, no]), [None]);
        assert_eq!(assign(2, 0, &[]), [None, None]);
        assert_eq!(assign(0, 3, &[]), []);
    }

    #[test]
    fn two_hundred_by_two_hundred_is_optimal_by_its_prices() {
        let mut random = Random::new();
        let costs: Vec<f64> = (0..200 * 200).map(|_| random.fraction() * 100.0).collect();
        let found = assign(200, 200, &costs);
        // No exchange of two columns may help; the full proof is the comparison with trying everything above.
        for a in 0..200 {
            for b in 0..a {
                let (to_a, to_b) = (found[a].unwrap(), found[b].unwrap());
                let now = costs[a * 200 + to_a] + costs[b * 200 + to_b];
                assert!(costs[a * 200 + to_b] + costs[b * 200 + to_a] >= now - 1e-9);
            }
        }
    }
}
