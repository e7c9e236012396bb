//! What is owed already: a provider works on it, although no budget was asked before.

use std::sync::Arc;

use jiff::Timestamp;

use super::cell::Grant;
use super::lent::BudgetSharing;
use super::reservation::Reservation;
use super::set::{BudgetSet, Granted, Request};

impl BudgetSet {
    /// Reserves what is owed already at all budgets of the owner, whether or not they have room for it, so that it is
    /// booked when it ends.
    pub fn owe(&self, request: &Request<'_>, now: Timestamp, sharing: &BudgetSharing) -> Granted {
        let mut chain = self.chain(&request.owner);
        chain.sort_by_key(|entry| entry.cell.number);
        let (mut holds, mut notices) = (Vec::new(), Vec::new());
        for entry in chain {
            let mut state = entry.cell.lock();
            self.listed.add(entry, &mut state, sharing);
            let grant: Grant = state.owe(&entry.budget, &request.most, now);
            notices.extend(state.reserve(&entry.budget, &grant));
            self.listed.took(entry, &mut state, &grant, sharing);
            holds.push(entry.hold(&state, &grant));
        }
        Granted { reservation: Reservation::new(holds, Arc::clone(&self.dropped)), notices }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Budget, Limit, Owner, Period, Scope, Spend};
    use super::*;
    use crate::money::Nano;

    #[test]
    fn what_is_owed_is_booked_also_where_there_is_no_room() {
        let budget = Budget::new("all", Scope::All, Limit::Tokens(100), Period::parse("month").unwrap());
        let set = BudgetSet::new(vec![budget]).unwrap();
        let request = Request::whole(Owner::default(), Spend::priced(Nano::ZERO, 80));
        let now = Timestamp::UNIX_EPOCH;
        let used = || set.status(now).into_iter().map(|(_, _, settled, reserved)| (settled, reserved)).next().unwrap();
        set.reserve(&request, now).unwrap().reservation.keep();
        assert!(set.reserve(&request, now).is_err());
        let mut owed = set.owe(&request, now, &BudgetSharing::Alone).reservation;
        assert_eq!(used(), (80, 80));
        owed.spend(&Spend::priced(Nano::ZERO, 50));
        assert_eq!(used(), (130, 30));
        owed.keep();
        assert_eq!(used(), (160, 0), "what is not known stays booked");
    }
}
