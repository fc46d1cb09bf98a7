-- Whoever removes an instance finds all that it was ever sent. (The index of what waits holds few of them.)
CREATE INDEX inbox_receiver ON inbox (instance);
