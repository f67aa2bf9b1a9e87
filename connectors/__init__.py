"""Where does data come from and go to? Feeds, Debezium, topics, the ClickHouse writer, the one-machine stack."""
