-- Orders on which the bureau is late, for the operators' list.
CREATE INDEX orders_overdue ON orders (id) WHERE overdue_at IS NOT NULL;
