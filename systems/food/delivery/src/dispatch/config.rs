//! Everything about dispatch that can be tuned, and where each number comes from.

use super::travel::TravelModel;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// What to do with an order that can no longer arrive within [`Config::max_click_to_door`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Deliver it all the same: late food is better than none.
    Deliver,
    /// Never assign it: the rule of the public instances, where the maximum is part of the problem.
    Refuse,
}

/// How dispatch plans. The default is the live service; [`Config::replay`] plays the public instances.
///
/// "Tuned" below means: on four days of the Grubhub set and perturbed copies of them (one order in twenty and
/// up to one courier in sixteen left out at random), one value for all days, least mean click-to-door. Runs
/// that differ in chance alone differ by 0.1 %, and most neighbours of a value by no more: the plan is not
/// sensitive.
#[derive(Clone, Debug)]
pub struct Config {
    /// Travel and service times.
    pub travel: TravelModel,
    /// Time until the next round, milliseconds: what can wait that long is not committed. Tuned: compared to
    /// 1 minute, 2 cost 0.7 % of click-to-door, 3 cost 1.6 % and 5 cost 3.7 %. Live: an offer should follow
    /// an event at once.
    pub round: i64,
    /// Time an idle courier needs to take an offer, milliseconds; offers are made that much earlier than they
    /// must. Live: the life of an offer (T2). In a replay couriers accept at once; 1 minute costs 0.1 %, 2
    /// cost 0.2 %.
    pub accept_margin: i64,
    /// Orders in a trip at most. From 2 to 4 the figures hardly change; 3 is what the product promises.
    pub bundle_cap: usize,
    /// Click-to-door from which on age counts more and more, milliseconds. 40 minutes in all public
    /// instances.
    pub target_click_to_door: i64,
    /// Click-to-door that no order should exceed, milliseconds. 90 minutes in all public instances.
    pub max_click_to_door: i64,
    /// What happens to orders that must exceed it.
    pub overdue: Overdue,
    /// Weight of age: a minute late counts `1 + age_weight * (a + 10 * e * e)`, with `a` the age in multiples
    /// of the target and `e` what it exceeds 1 by. Tuned between 0 and 1: free in the mean, and 0.5 takes a
    /// minute off p90 on a busy day.
    pub age_weight: f64,
    /// What a minute of a courier's work costs, in minutes late. Tuned between 0 and 0.4: just enough to
    /// prefer the shorter of two equal plans. 0.02 costs 0.8 % already, because saving metres wastes well
    /// placed couriers.
    pub work_weight: f64,
    /// What a minute of average distance from the demand is worth, in minutes late: couriers who are far out
    /// go first, and trips that end near restaurants are preferred. Tuned between 0 and 0.5: as it settles
    /// ties, any value above 0 gains 0.5 to 1 %.
    pub place_weight: f64,
    /// Distance where half of the greatest worth is reached, milliseconds: beyond, far is far. Tuned between
    /// 10 minutes and a straight line, all the same within 0.1 %.
    pub place_scale: i64,
    /// Improvement steps for each waiting order (at most 60 orders count). Tuned between 0 and 15: 0 costs
    /// 0.3 %, 15 gain nothing sure at twice the time. With 15 % of the couriers missing, 8 are 0.4 % better
    /// than 3.
    pub steps_per_order: usize,
    /// Orders planned in a round at most, oldest first; the others wait. Bounds the time of a round.
    pub max_orders: usize,
    /// Couriers planned in a round at most, those nearest to any order first. Bounds the time of a round.
    pub max_couriers: usize,
}

impl Config {
    /// The public instances: rounds of a minute, couriers who accept at once, a maximum that is a rule.
    #[must_use]
    pub fn replay(travel: TravelModel) -> Self {
        Self { travel, round: MINUTE, accept_margin: 0, overdue: Overdue::Refuse, ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            travel: TravelModel::default(),
            round: SECOND,
            accept_margin: 30 * SECOND,
            bundle_cap: 3,
            target_click_to_door: 40 * MINUTE,
            max_click_to_door: 90 * MINUTE,
            overdue: Overdue::Deliver,
            age_weight: 0.5,
            work_weight: 0.002,
            place_weight: 0.05,
            place_scale: 20 * MINUTE,
            steps_per_order: 6,
            max_orders: 300,
            max_couriers: 300,
        }
    }
}
