-- Jobs of nobody are not counted by themselves any more.
DELETE FROM user_counts WHERE user = x'';
