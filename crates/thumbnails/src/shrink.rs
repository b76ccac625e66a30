//! Averages whole pixels while rows come in, so that a large picture never stands in memory whole.

use crate::error::Error;
use crate::geometry::Size;
use crate::raster::{Channels, Raster};

/// Takes the rows of a picture from the top and keeps the mean of each square of `factor` by `factor` pixels.
/// Squares that stand over the right or lower edge are the mean of what they have.
pub(crate) struct Shrinker {
    full: Size,
    channels: Channels,
    factor: u32,
    rows_seen: u32,
    /// Rows added to `sums` since the last row was written.
    rows_open: u32,
    sums: Vec<u64>,
    samples: Vec<u8>,
}

impl Shrinker {
    pub(crate) fn new(full: Size, channels: Channels, factor: u32) -> Self {
        let factor = factor.max(1);
        let size = Self::result_size(full, factor);
        let row = size.width as usize * channels.count();
        let sums = if factor == 1 { Vec::new() } else { vec![0; row] };
        let samples = Vec::with_capacity(row * size.height as usize);
        Self { full, channels, factor, rows_seen: 0, rows_open: 0, sums, samples }
    }

    pub(crate) fn result_size(full: Size, factor: u32) -> Size {
        Size { width: full.width.div_ceil(factor), height: full.height.div_ceil(factor) }
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// If the row has another length than the picture is wide, or there are more rows than it is high.
    pub(crate) fn push(&mut self, row: &[u8]) -> Result<(), Error> {
        if row.len() != self.full.width as usize * self.channels.count() || self.rows_seen == self.full.height
        {
            return Err(Error::damaged("the decoder gave another size than the header says"));
        }
        self.rows_seen += 1;
        if self.factor == 1 {
            self.samples.extend_from_slice(row);
            return Ok(());
        }
        let factor = self.factor as usize;
        match self.channels {
            Channels::Gray => add::<1>(&mut self.sums, row, factor),
            Channels::Rgb => add::<3>(&mut self.sums, row, factor),
            Channels::Cmyk => add::<4>(&mut self.sums, row, factor),
            Channels::GrayAlpha => add_weighted::<2>(&mut self.sums, row, factor),
            Channels::Rgba => add_weighted::<4>(&mut self.sums, row, factor),
        }
        self.rows_open += 1;
        if self.rows_open == self.factor || self.rows_seen == self.full.height {
            self.write_row();
        }
        Ok(())
    }

    /// # Errors
    /// If rows are missing.
    pub(crate) fn finish(self) -> Result<Raster, Error> {
        Raster::new(Self::result_size(self.full, self.factor), self.channels, self.samples)
    }

    fn write_row(&mut self) {
        let count = self.channels.count();
        for (index, cell) in self.sums.chunks_exact(count).enumerate() {
            let left = index as u32 * self.factor;
            let columns = self.factor.min(self.full.width - left);
            let pixels = u64::from(columns) * u64::from(self.rows_open);
            if self.channels.has_alpha() {
                let (alpha, colours) = (cell[count - 1], &cell[..count - 1]);
                self.samples.extend(colours.iter().map(|&sum| mean(sum, alpha)));
                self.samples.push(mean(alpha, pixels));
            } else {
                self.samples.extend(cell.iter().map(|&sum| mean(sum, pixels)));
            }
        }
        self.sums.fill(0);
        self.rows_open = 0;
    }
}

fn mean(sum: u64, count: u64) -> u8 {
    // Nothing visible has no colour, so any will do.
    (sum + count / 2).checked_div(count).map_or(0, |mean| u8::try_from(mean).unwrap_or(u8::MAX))
}

/// Adds each run of `factor` pixels to its cell. The inner sum is 32 bits wide for speed: a run would have to be
/// 16 million pixels long to overflow it.
fn add<const N: usize>(sums: &mut [u64], row: &[u8], factor: usize) {
    for (cell, run) in sums.chunks_exact_mut(N).zip(row.chunks(factor * N)) {
        let mut sum = [0_u32; N];
        for pixel in run.chunks_exact(N) {
            for (sum, &sample) in sum.iter_mut().zip(pixel) {
                *sum += u32::from(sample);
            }
        }
        for (total, sum) in cell.iter_mut().zip(sum) {
            *total += u64::from(sum);
        }
    }
}

/// The same with colours weighted by the alpha that stands last, so that hidden colours do not count.
fn add_weighted<const N: usize>(sums: &mut [u64], row: &[u8], factor: usize) {
    for (cell, run) in sums.chunks_exact_mut(N).zip(row.chunks(factor * N)) {
        for pixel in run.chunks_exact(N) {
            let alpha = u64::from(pixel[N - 1]);
            for (total, &sample) in cell[..N - 1].iter_mut().zip(pixel) {
                *total += u64::from(sample) * alpha;
            }
            cell[N - 1] += alpha;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shrink(width: u32, height: u32, channels: Channels, samples: &[u8], factor: u32) -> Raster {
        let mut shrinker = Shrinker::new(Size { width, height }, channels, factor);
        for row in samples.chunks(width as usize * channels.count()) {
            shrinker.push(row).unwrap();
        }
        shrinker.finish().unwrap()
    }

    #[test]
    fn means_of_squares_and_of_what_is_left_at_the_edges() {
        let small = shrink(3, 3, Channels::Gray, &[0, 10, 100, 20, 30, 200, 7, 8, 9], 2);
        assert_eq!(small.size, Size { width: 2, height: 2 });
        assert_eq!(small.samples, [15, 150, 8, 9]);
    }

    #[test]
    fn hidden_colours_do_not_count() {
        let small = shrink(2, 1, Channels::Rgba, &[255, 0, 0, 0, 0, 0, 200, 100], 2);
        assert_eq!(small.samples, [0, 0, 200, 50]);
        let hidden = shrink(2, 1, Channels::GrayAlpha, &[9, 0, 9, 0], 2);
        assert_eq!(hidden.samples, [0, 0]);
    }

    #[test]
    fn too_few_and_too_many_rows_are_errors() {
        let mut shrinker = Shrinker::new(Size { width: 2, height: 2 }, Channels::Gray, 2);
        assert!(shrinker.push(&[1]).is_err());
        shrinker.push(&[1, 2]).unwrap();
        shrinker.push(&[1, 2]).unwrap();
        assert!(shrinker.push(&[1, 2]).is_err());
        let mut short = Shrinker::new(Size { width: 2, height: 3 }, Channels::Gray, 2);
        short.push(&[1, 2]).unwrap();
        assert!(short.finish().is_err());
    }

    proptest! {
        #[test]
        fn stays_within_the_values_it_was_given(
            width in 1_u32..20, height in 1_u32..20, factor in 1_u32..6, seed in any::<u64>(),
        ) {
            let samples: Vec<u8> = (0..u64::from(width * height * 3))
                .map(|index| 50 + (index.wrapping_mul(seed | 1) >> 7) as u8 % 100)
                .collect();
            let small = shrink(width, height, Channels::Rgb, &samples, factor);
            prop_assert!(small.samples.iter().all(|sample| (50..150).contains(sample)));
        }
    }
}
